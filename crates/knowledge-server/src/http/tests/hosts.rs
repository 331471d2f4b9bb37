//! Names that the server answers to, and those of others that lead to it.

use super::*;

fn known_as(fixture: &Fixture, names: &str) -> Router {
    let state = fixture.state(EventHub::default(), Limits::default());
    router(state.with_hosts(names.parse().unwrap()))
}

async fn status(app: &Router, uri: &str, hosts: &[&str]) -> StatusCode {
    let mut request = Request::get(uri);
    for host in hosts {
        request = request.header(header::HOST, *host);
    }
    send(app, request.body(Body::empty()).unwrap())
        .await
        .status()
}

#[tokio::test]
async fn addresses_and_localhost_are_answered() {
    let fixture = Fixture::new().await;
    let app = app(&fixture);
    for host in [
        "127.0.0.1:8080",
        "127.0.0.1",
        "[::1]:8080",
        "192.0.2.7:80",
        "localhost",
        "LocalHost:9000",
        "localhost.:80",
        "a.localhost:80",
    ] {
        assert_eq!(
            status(&app, "/livez", &[host]).await,
            StatusCode::OK,
            "{host}"
        );
    }
    assert_eq!(status(&app, "/livez", &[]).await, StatusCode::OK);
}

#[tokio::test]
async fn a_name_of_another_site_is_refused_everywhere() {
    let fixture = Fixture::new().await;
    let app = known_as(&fixture, "graph.example.org");
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "1.2.3.4.5",
        "notlocalhost",
        "me@127.0.0.1",
        "x.graph.example.org",
    ] {
        for path in ["/", "/graphql", "/livez", "/metrics", "/nowhere"] {
            let refused = status(&app, path, &[host]).await;
            assert_eq!(refused, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
        }
    }
    let absolute = status(&app, "http://evil.example/livez", &["localhost"]).await;
    assert_eq!(absolute, StatusCode::MISDIRECTED_REQUEST);
    let several = status(&app, "/livez", &["localhost", "localhost"]).await;
    assert_eq!(several, StatusCode::BAD_REQUEST);
    assert_eq!(status(&app, "/livez", &[""]).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let fixture = Fixture::new().await;
    let request = Request::get("/").header(header::HOST, "graph.example.org:443");
    let response = send(&app(&fixture), request.body(Body::empty()).unwrap()).await;
    let problem = assert_problem(response, StatusCode::MISDIRECTED_REQUEST).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`graph.example.org`"), "{detail}");
    assert!(detail.contains("KNOWLEDGE_ALLOWED_HOSTS"), "{detail}");
}

#[tokio::test]
async fn a_name_that_was_told_is_answered() {
    let fixture = Fixture::new().await;
    let app = known_as(&fixture, "graph.example.org,other");
    for host in ["graph.example.org", "GRAPH.example.org:443", "other."] {
        assert_eq!(
            status(&app, "/livez", &[host]).await,
            StatusCode::OK,
            "{host}"
        );
    }
}

#[test]
fn a_page_behind_a_proxy_may_open_a_socket() {
    use axum::http::HeaderMap;
    let hosts = "graph.example.org".parse().unwrap();
    let allowed = |origin: &str, host: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        crate::http::host::is_same_origin(&headers, &hosts)
    };
    assert!(allowed("https://graph.example.org", "127.0.0.1:8080"));
    assert!(allowed("http://127.0.0.1:8080", "127.0.0.1:8080"));
    for origin in [
        "https://evil.example",
        "http://127.0.0.1:9",
        "null",
        "https://",
    ] {
        assert!(!allowed(origin, "127.0.0.1:8080"), "{origin}");
    }
}
