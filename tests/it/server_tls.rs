//! Connections that are protected: what a certificate is checked for, and what is said where it is
//! not the right one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::lab::{Lab, Output};
use crate::server_lab::{Engine, Running};
use crate::servers::{Database, Private};

/// The password of the servers' account.
const PASSWORD: &str = "tester-password";

/// A database on a server with a certificate for `localhost`, and another authority than its own.
struct Scene {
    engine: Engine,
    database: Database,
    lab: Lab,
    authority: PathBuf,
    other: PathBuf,
}

impl Scene {
    fn new(private: &Private, engine: Engine) -> Scene {
        let name = if engine == Engine::Postgres { "postgres" } else { "mariadb" };
        let server = private.server(name);
        let database = server.database("");
        database.sql("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1);");
        let lab = Lab::new();
        let other = lab.path("other.crt");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=another authority", "-keyout"])
            .args([lab.path("other.key"), "-out".into(), other.clone()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let authority = server.folder().join("ca.crt");
        Scene { engine, database, lab, authority, other }
    }

    /// Takes a snapshot by way of a host, with parameters.
    fn snapshot(&self, host: &str, mode: &str, authority: Option<&PathBuf>) -> Output {
        let server = &self.database.server;
        let url = server.tcp_url(&self.database.name).replace("127.0.0.1", host);
        let mut url = format!("{url}?sslmode={mode}");
        if let Some(authority) = authority {
            url.push_str(&format!("&sslrootcert={}", authority.display()));
        }
        let mut command = self.lab.command(&["snapshot", &url, "--ref", "prod"]);
        command.env(self.engine.password_variable(), PASSWORD);
        let output = Running::start(command).end();
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(!said.contains(PASSWORD), "{said}");
        output
    }

    #[track_caller]
    fn is_taken(&self, host: &str, mode: &str, authority: Option<&PathBuf>) {
        self.snapshot(host, mode, authority).ok();
        self.lab.run(&["ref", "--delete", "prod"]).ok();
    }

    #[track_caller]
    fn is_refused(&self, host: &str, mode: &str, authority: Option<&PathBuf>, words: &[&str]) {
        let output = self.snapshot(host, mode, authority).fails(3, "could not connect to");
        for word in words {
            assert!(output.stderr.contains(word), "no `{word}` in {}", output.stderr);
        }
        self.lab.run(&["show", "prod"]).fails(2, "prod");
    }

    /// From now on the server shows a certificate that was valid until yesterday.
    fn expire(&self) {
        let folder = self.database.server.folder();
        fs::copy(folder.join("expired.crt"), folder.join("server.crt")).unwrap();
        match self.engine {
            Engine::Postgres => drop(self.database.sql("SELECT pg_reload_conf();")),
            Engine::Mariadb => drop(self.database.sql("FLUSH SSL;")),
        }
        // The server takes it up a moment later.
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}

#[test]
fn certificates_are_checked_as_far_as_asked() {
    let private = Private::start("start");
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let scene = Scene::new(&private, engine);
        let right = Some(&scene.authority);
        scene.is_taken("localhost", "verify-full", right);
        scene.is_taken("localhost", "verify-ca", right);
        // The certificate is for the name, not for the address.
        scene.is_taken("127.0.0.1", "verify-ca", right);
        scene.is_refused("127.0.0.1", "verify-full", right, &["TLS", "certificate", "127.0.0.1"]);
        for mode in ["verify-ca", "verify-full"] {
            let other = Some(&scene.other);
            scene.is_refused("localhost", mode, other, &["TLS", "certificate", "UnknownIssuer"]);
            // The system's authorities do not know this one.
            scene.is_refused("localhost", mode, None, &["TLS", "certificate", "UnknownIssuer"]);
            let missing = scene.lab.path("missing.crt");
            scene.is_refused("localhost", mode, Some(&missing), &["missing.crt"]);
        }
        // What is not checked is protected all the same.
        for mode in ["prefer", "require"] {
            scene.is_taken("127.0.0.1", mode, None);
        }
        scene.expire();
        scene.is_refused("localhost", "verify-ca", right, &["TLS", "certificate", "xpired"]);
        scene.is_taken("localhost", "require", None);
        if engine == Engine::Postgres {
            scene.database.sql("ALTER SYSTEM SET ssl = off; SELECT pg_reload_conf();");
            std::thread::sleep(std::time::Duration::from_millis(300));
            scene.is_refused("localhost", "require", None, &["TLS"]);
            scene.is_taken("localhost", "prefer", None);
        }
    }
}
