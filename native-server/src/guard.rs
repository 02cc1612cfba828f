//! Who may ask: the checks of `Host` and `Origin` before anything is served.
//!
//! There need be no password, so a page from elsewhere must not reach the server through its reader's browser. A page
//! there may connect here under its own origin (`Origin` tells), or under a name of its own that it makes point
//! here (`Host` tells). Knows headers; nothing of what is asked for.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, header};

/// Names that requests may use besides addresses: those of the flag, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    names: Vec<String>,
}

impl Guard {
    /// `names`: hosts without ports.
    pub(crate) fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Checks what the request calls this server. `local` is the address that its connection reached.
    ///
    /// # Errors
    /// A text for the client.
    pub(crate) fn check_host(&self, headers: &HeaderMap, local: IpAddr) -> Result<(), String> {
        let found = host(headers)?;
        let name = found.host().to_ascii_lowercase();
        let is_ours = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip.to_canonical() == local.to_canonical(),
            Err(_) => name == "localhost" || name.ends_with(".localhost") || self.names.contains(&name),
        };
        if is_ours {
            return Ok(());
        }
        Err(format!(
            "expected this server's own name or address in `Host`, found `{found}`; \
             to let it answer to that name, start it with --allow-host {name}"
        ))
    }

    /// Checks where the page that opens a WebSocket comes from. Programs that are no browsers name no origin.
    ///
    /// # Errors
    /// A text for the client.
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), String> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let host = host(headers)?;
        if origins.next().is_none() && self.is_own(origin, &host) {
            return Ok(());
        }
        let found = origin.as_bytes().escape_ascii();
        Err(format!("expected a page of this server, `http://{host}`, in `Origin`, found `{found}`"))
    }

    fn is_own(&self, origin: &HeaderValue, host: &Authority) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let default_port = match scheme {
            "http" => 80,
            // A proxy in front of the server may speak TLS for it.
            "https" => 443,
            _ => return false,
        };
        let Ok(origin) = rest.parse::<Authority>() else { return false };
        let name = origin.host().to_ascii_lowercase();
        let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
        (name == host.host().to_ascii_lowercase() && port(&origin) == port(host))
            || self.names.contains(&name)
    }
}

/// The one `Host` of a request.
fn host(headers: &HeaderMap) -> Result<Authority, String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err("expected one `Host` header".to_owned());
    };
    let found =
        || format!("expected a name or address in `Host`, found `{}`", host.as_bytes().escape_ascii());
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| found())?;
    // A user's name has no place there.
    if authority.as_str().contains('@') { Err(found()) } else { Ok(authority) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(&["Play.example".to_owned()])
    }

    fn headers(host: &[&str], origin: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, values) in [(header::HOST, host), (header::ORIGIN, origin)] {
            for value in values {
                headers.append(&name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn hosts() {
        let local = "192.0.2.7".parse().unwrap();
        for (hosts, is_ours) in [
            (&["localhost"][..], true),
            (&["LOCALHOST:8080"], true),
            (&["page.localhost:1"], true),
            (&["127.0.0.1:8080"], true),
            (&["127.1.2.3"], true),
            (&["[::1]:8080"], true),
            (&["192.0.2.7:8080"], true),
            (&["[::ffff:192.0.2.7]:8080"], true),
            (&["play.EXAMPLE:443"], true),
            (&["192.0.2.8:8080"], false),
            (&["evil.example"], false),
            (&["localhost.evil.example"], false),
            (&["evillocalhost"], false),
            (&["127.0.0.1.evil.example"], false),
            (&["a@localhost"], false),
            (&[""], false),
            (&["a b"], false),
            (&[], false),
            (&["localhost", "localhost"], false),
        ] {
            let found = guard().check_host(&headers(hosts, &[]), local);
            assert_eq!(found.is_ok(), is_ours, "{hosts:?}: {found:?}");
        }
    }

    #[test]
    fn origins() {
        for (host, origins, is_ours) in [
            ("localhost:8080", &[][..], true),
            ("localhost:8080", &["http://localhost:8080"], true),
            ("LocalHost:8080", &["http://localhost:8080"], true),
            ("localhost", &["http://localhost"], true),
            ("localhost:80", &["http://localhost"], true),
            ("play.example", &["https://play.example"], true),
            ("127.0.0.1:8080", &["https://play.example"], true),
            ("localhost:8080", &["http://localhost"], false),
            ("localhost:8080", &["http://localhost:3000"], false),
            ("localhost:8080", &["http://127.0.0.1:8080"], false),
            ("localhost:8080", &["https://evil.example"], false),
            ("localhost:8080", &["https://evil.play.example"], false),
            ("localhost:8080", &["null"], false),
            ("localhost:8080", &["file://"], false),
            ("localhost:8080", &[""], false),
            ("localhost:8080", &["http://localhost:8080", "http://localhost:8080"], false),
        ] {
            let found = guard().check_origin(&headers(&[host], origins));
            assert_eq!(found.is_ok(), is_ours, "{host} {origins:?}: {found:?}");
        }
    }
}
