//! A browser without a window, driven over the WebDriver protocol: JSON over HTTP to
//! `chromedriver`, which Debian has in `chromium-driver`. A few calls suffice, so this is all of
//! the client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// How long the page may take for what a test waits for. No measure of speed: a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window. It is closed when this is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// The browser's profile, and whatever else it writes.
    _home: TempDir,
}

/// The browser; where there is none, the test says so by its name and ends.
macro_rules! browser_or_skip {
    ($width:expr, $height:expr) => {
        match $crate::webdriver::Browser::start($width, $height) {
            Some(browser) => browser,
            None => {
                let test = std::thread::current().name().unwrap_or_default().to_owned();
                eprintln!("skipped {test}: no chromedriver or chromium here (Debian: chromium-driver, chromium)");
                return;
            }
        }
    };
}
pub(crate) use browser_or_skip;

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

impl Browser {
    /// Starts one, if there is one to start.
    pub fn start(width: u32, height: u32) -> Option<Browser> {
        if !is_installed("chromedriver") || !is_installed("chromium") {
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let mut browser = Browser {
            driver,
            port: port.expect("chromedriver says its port"),
            session: String::new(),
            _home: home,
        };
        // The sandbox does not work for root, nor in most containers; the page is our own.
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = browser.call("POST", "/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// One command; its answer's value.
    fn call(&self, method: &str, path: &str, body: &Json) -> Json {
        let (status, answer) = self.exchange(method, path, body).unwrap();
        let mut answer: Json = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer["value"].take()
    }

    fn exchange(&self, method: &str, path: &str, body: &Json) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        let body = if method == "POST" { body.to_string() } else { String::new() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut length = 0;
        loop {
            line.clear();
            answer.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut content = vec![0; length];
        answer.read_exact(&mut content)?;
        Ok((status, content))
    }

    fn post(&self, command: &str, body: &Json) -> Json {
        self.call("POST", &format!("{}/{command}", self.session), body)
    }

    /// Opens a file.
    pub fn open(&self, page: &Path) {
        self.post("url", &json!({ "url": format!("file://{}", page.display()) }));
        self.wait("document.documentElement.dataset.ready === 'true'");
    }

    /// Runs the body of a function in the page, and gives what it returns.
    pub fn run(&self, script: &str) -> Json {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The value of an expression.
    pub fn value(&self, expression: &str) -> Json {
        self.run(&format!("return ({expression});"))
    }

    /// Waits until the expression is true.
    #[track_caller]
    pub fn wait(&self, expression: &str) {
        let start = Instant::now();
        while self.value(&format!("Boolean({expression})")) != true {
            assert!(start.elapsed() < PATIENCE, "never true: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks the first element that the selector finds.
    pub fn click(&self, selector: &str) {
        let (status, answer) = self.try_click(selector);
        assert_eq!(status, 200, "click {selector}: {answer}");
    }

    /// Clicks until the expression is true, as a person does when the page moved under the pointer.
    #[track_caller]
    pub fn click_until(&self, selector: &str, expression: &str) {
        let start = Instant::now();
        loop {
            let (status, answer) = self.try_click(selector);
            let was_moved = answer.contains("element click intercepted");
            assert!(status == 200 || was_moved, "click {selector}: {answer}");
            let clicked = Instant::now();
            while clicked.elapsed() < Duration::from_secs(3) {
                if self.value(&format!("Boolean({expression})")) == true {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(start.elapsed() < PATIENCE, "never true: {expression}");
        }
    }

    fn try_click(&self, selector: &str) -> (u16, String) {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        let path = format!("{}/element/{id}/click", self.session);
        let (status, answer) = self.exchange("POST", &path, &json!({})).unwrap();
        (status, String::from_utf8_lossy(&answer).into_owned())
    }

    /// Presses a key after the other, wherever the focus is.
    pub fn keys(&self, keys: &str) {
        let presses = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let actions: Vec<Json> = presses.collect();
        self.post(
            "actions",
            &json!({ "actions": [
            { "type": "key", "id": "keyboard", "actions": actions },
        ] }),
        );
    }

    /// Gives the window another size.
    pub fn resize(&self, width: u32, height: u32) {
        self.post("window/rect", &json!({ "width": width, "height": height }));
    }

    /// Errors and warnings since the last call: of scripts, of the policy, of what was not found.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        entries.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The URLs that were asked for since the last call.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "performance" }));
        let events =
            log.as_array().unwrap().iter().map(|entry| {
                serde_json::from_str::<Json>(entry["message"].as_str().unwrap()).unwrap()
            });
        let requests = events.filter(|e| e["message"]["method"] == "Network.requestWillBeSent");
        requests
            .map(|e| e["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The browser ends with its session; where that fails, the driver is ended below.
            let _ = self.exchange("DELETE", &self.session, &Json::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
