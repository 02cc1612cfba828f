//! The page's files, and which of their compressed copies a browser gets.
//!
//! Owns everything about serving files: types, encodings, caching. Knows nothing of what is in them, nor where they are kept.

use std::fmt::Write;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use rust_embed::EmbeddedFile;

/// Finds a file of the page by its name: a flat folder, with `.br` and `.gz` copies beside each file.
pub type PageFiles = fn(&str) -> Option<EmbeddedFile>;

/// Encodings we may have a copy in: their names in HTTP and as suffixes, the smallest first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Stands in for the page in a program that was built without it.
const NO_PAGE: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Interleave</title>\n\
    <p>This server was built before the page, so there is none inside it.\n\
    <p>Run <code>cargo xtask play</code> in the source tree: it builds the page, then the server, and starts it.\n\
    Redis clients are served all the same.\n</html>\n";

/// The file at `path` among `files`, as the request with `headers` wants it.
pub(crate) fn file(files: PageFiles, path: &str, headers: &HeaderMap) -> Response<Body> {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    let is_copy = ENCODINGS.iter().any(|(_, suffix)| name.ends_with(suffix));
    let Some(plain) = (if is_copy { None } else { files(name) }) else {
        return absent(name);
    };
    let accepted = headers.get_all(ACCEPT_ENCODING);
    let accepted = accepted.iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let copy = ENCODINGS
        .iter()
        .filter(|(encoding, _)| accepts(&accepted, encoding))
        .find_map(|(encoding, suffix)| Some((files(&format!("{name}{suffix}"))?, Some(*encoding))));
    let (file, encoding) = copy.unwrap_or((plain, None));

    let etag = etag(&file);
    let mut response = Response::builder()
        .header(CONTENT_TYPE, media_type(name))
        .header(VARY, "Accept-Encoding")
        // Asked for again each time, answered by 304 as long as the program is the same.
        .header(CACHE_CONTROL, "no-cache")
        .header(ETAG, &etag);
    if let Some(encoding) = encoding {
        response = response.header(CONTENT_ENCODING, encoding);
    }
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|known| matches(known, &etag));
    let (status, body) = match file.data {
        _ if known => (StatusCode::NOT_MODIFIED, Body::empty()),
        std::borrow::Cow::Borrowed(data) => (StatusCode::OK, data.into()),
        std::borrow::Cow::Owned(data) => (StatusCode::OK, data.into()),
    };
    response.status(status).body(body).expect("header values are names from lists and hexadecimal digits")
}

fn absent(name: &str) -> Response<Body> {
    let (status, media_type, body) = if name == "index.html" {
        (StatusCode::SERVICE_UNAVAILABLE, "text/html; charset=utf-8", NO_PAGE)
    } else {
        (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "There is no such file.\n")
    };
    let response = Response::builder().status(status).header(CONTENT_TYPE, media_type);
    response.body(body.into()).expect("header values are literals")
}

/// The hash of exactly these bytes: a compressed copy has one of its own.
fn etag(file: &EmbeddedFile) -> String {
    let mut etag = "\"".to_owned();
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(etag, "{byte:02x}");
    }
    etag + "\""
}

/// Whether an `If-None-Match` names `etag`.
fn matches(header: &HeaderValue, etag: &str) -> bool {
    let Ok(header) = header.to_str() else { return false };
    header.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}

/// Whether an `Accept-Encoding` allows `encoding`.
fn accepts(header: &str, encoding: &str) -> bool {
    let quality = |wanted: &str| {
        header.split(',').find_map(|item| {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let quality = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
            name.trim().eq_ignore_ascii_case(wanted).then_some(quality.unwrap_or(0.0))
        })
    };
    quality(encoding).or_else(|| quality("*")).is_some_and(|quality| quality > 0.0)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_negotiated() {
        for (header, brotli, gzip) in [
            ("", false, false),
            ("gzip, deflate, br, zstd", true, true),
            ("GZIP;q=1.0", false, true),
            ("br;q=0, *", false, true),
            ("*;q=0", false, false),
            ("br; q=0.5 , gzip;q=0.000", true, false),
            ("brotli", false, false),
            ("br;q=much", false, false),
        ] {
            assert_eq!((accepts(header, "br"), accepts(header, "gzip")), (brotli, gzip), "{header:?}");
        }
    }

    #[test]
    fn etags_are_compared_weakly() {
        for (header, same) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(matches(&HeaderValue::from_static(header), "\"a\""), same, "{header}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_says_so() {
        for (path, expected) in
            [("/../Cargo.toml", StatusCode::NOT_FOUND), ("/", StatusCode::SERVICE_UNAVAILABLE)]
        {
            assert_eq!(file(|_| None, path, &HeaderMap::new()).status(), expected, "{path}");
        }
    }
}
