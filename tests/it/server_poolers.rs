//! Case E18: a pooler gives one session to several clients, and is refused before anything is set.

use crate::lab::Lab;
use crate::servers::Private;

#[test]
fn e18_poolers_are_refused_in_every_mode() {
    let private = Private::start("poolers");
    let lab = Lab::new();
    for name in ["strict", "lax"] {
        let pooler = private.server(name);
        for mode in ["session", "transaction"] {
            let url = pooler.url(mode);
            // The pooler itself works.
            assert_eq!(pooler.run(mode, "SELECT 1;").trim(), "1");
            let before = pooler.run(mode, "SHOW timezone; SHOW statement_timeout;");
            for args in [&["snapshot", &url, "--ref", "prod"][..], &["check", &url]] {
                let refused = lab.run(args).fails(3, "pooler");
                assert!(refused.stderr.contains("connect to the server"), "{}", refused.stderr);
            }
            lab.run(&["show", "prod"]).fails(2, "prod");
            // Whoever gets the session next finds it as it was.
            assert_eq!(pooler.run(mode, "SHOW timezone; SHOW statement_timeout;"), before);
        }
    }
    // Without the pooler it works.
    lab.run(&["snapshot", &private.server("postgres").url("postgres"), "--ref", "prod"]).ok();
}
