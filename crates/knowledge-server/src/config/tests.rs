#![expect(
    clippy::result_large_err,
    reason = "the signature is figment's test harness's"
)]

use figment::Jail;

use super::*;

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    Jail::expect_with(|jail| {
        jail.create_file(
            FILE,
            "listen = '127.0.0.1:1'\nmax_documents = 5\nactivity_backoff_ms = 7",
        )?;
        jail.set_env("KNOWLEDGE_LISTEN", "127.0.0.1:2");
        jail.set_env("KNOWLEDGE_MAX_DOCUMENTS", "6");
        let overrides = Overrides {
            listen: Some("127.0.0.1:3".to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(&overrides).unwrap();
        assert_eq!(config.listen, "127.0.0.1:3");
        assert_eq!(config.max_documents, 6);
        assert_eq!(config.activity_backoff_ms, 7);
        let described = Config::describe(&overrides).unwrap();
        assert!(
            described.contains("listen = \"127.0.0.1:3\"  # flag"),
            "{described}"
        );
        assert!(described.contains("max_documents = 6  # environment KNOWLEDGE_MAX_DOCUMENTS"));
        assert!(described.contains("activity_backoff_ms = 7  # knowledge.toml"));
        assert!(described.contains("extractor = \"offline\"  # default"));
        Ok(())
    });
}

#[test]
fn what_this_release_lacks_is_refused() {
    Jail::expect_with(|jail| {
        for mode in ["shadow", "engine"] {
            jail.set_env("KNOWLEDGE_WORKFLOW_MODE", mode);
            let error = Config::load(&Overrides::default()).unwrap_err();
            assert!(matches!(error, ConfigurationError::Mode(_)), "{mode}");
        }
        jail.set_env("KNOWLEDGE_WORKFLOW_MODE", "legacy");
        jail.set_env("KNOWLEDGE_EXTRACTOR", "llm");
        let error = Config::load(&Overrides::default()).unwrap_err();
        assert!(matches!(error, ConfigurationError::Extractor(_)));
        Ok(())
    });
}

#[test]
fn unknown_keys_and_wrong_types_are_errors() {
    Jail::expect_with(|jail| {
        jail.create_file(FILE, "lisen = '127.0.0.1:1'")?;
        let error = Config::load(&Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("lisen"), "{error}");
        jail.create_file(FILE, "max_documents = 'many'")?;
        let error = Config::load(&Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("max_documents"), "{error}");
        Ok(())
    });
}

#[test]
fn passwords_are_masked() {
    Jail::expect_with(|jail| {
        jail.set_env(
            "KNOWLEDGE_DATABASE_URL",
            "postgres://me:s3cret@localhost/db",
        );
        let described = Config::describe(&Overrides::default()).unwrap();
        assert!(!described.contains("s3cret"), "{described}");
        Ok(())
    });
}
