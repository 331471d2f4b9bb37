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
fn names_of_hosts_are_a_list_or_separated_by_commas() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        let hosts =
            || serde_json::json!(Config::load(&Overrides::default()).unwrap().allowed_hosts);
        jail.create_file(FILE, "allowed_hosts = ['a.example', 'B.example.']")?;
        assert_eq!(hosts(), serde_json::json!(["a.example", "b.example"]));
        jail.set_env("KNOWLEDGE_ALLOWED_HOSTS", "c.example, d-1");
        assert_eq!(hosts(), serde_json::json!(["c.example", "d-1"]));
        jail.set_env("KNOWLEDGE_ALLOWED_HOSTS", "");
        assert_eq!(hosts(), serde_json::json!([]));
        for wrong in ["https://a.example", "a.example:80", "a/b", "*"] {
            jail.set_env("KNOWLEDGE_ALLOWED_HOSTS", wrong);
            let error = Config::load(&Overrides::default()).unwrap_err();
            assert!(
                error.to_string().contains("is no name of a host"),
                "{error}"
            );
        }
        Ok(())
    });
}

#[test]
fn workers_take_postgresql_and_restate() {
    for mode in ["engine", "shadow"] {
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.set_env("KNOWLEDGE_WORKFLOW_MODE", mode);
            let check = || Config::load(&Overrides::default()).unwrap().check_mode();
            let error = check().unwrap_err();
            if cfg!(not(feature = "restate")) {
                assert!(matches!(error, ConfigurationError::Mode(_)), "{error}");
                return Ok(());
            }
            assert!(
                matches!(error, ConfigurationError::EngineDatabase),
                "{error}"
            );
            jail.set_env("KNOWLEDGE_DATABASE_URL", "postgres://127.0.0.1/knowledge");
            let error = check().unwrap_err().to_string();
            assert!(error.contains("KNOWLEDGE_RESTATE_INGRESS_URL"), "{error}");
            jail.set_env("KNOWLEDGE_RESTATE_INGRESS_URL", "http://127.0.0.1:8080");
            assert!(check().is_ok());
            Ok(())
        });
    }
}

#[test]
fn a_model_needs_a_key_or_an_endpoint() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.set_env("KNOWLEDGE_EXTRACTOR", "llm");
        let error = Config::load(&Overrides::default()).unwrap_err();
        assert!(matches!(error, ConfigurationError::NoModel));

        jail.set_env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
        let config = Config::load(&Overrides::default()).unwrap();
        let models = config.llm().unwrap();
        assert_eq!(models.primary.base_url, "http://127.0.0.1:1/v1");
        assert_eq!(models.primary.api_key, None);
        assert_eq!(models.fallback, None);

        jail.set_env("OPENAI_BASE_URL", "ftp://somewhere");
        let error = Config::load(&Overrides::default()).unwrap_err();
        assert!(error.to_string().contains("openai_base_url"), "{error}");
        Ok(())
    });
}

#[test]
fn a_key_makes_models_the_default_and_is_never_shown() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        let config = Config::load(&Overrides::default()).unwrap();
        assert_eq!(config.default_extractor(), Extractor::Offline);
        assert_eq!(config.llm(), None);

        jail.set_env("OPENAI_API_KEY", "sk-s3cret");
        jail.set_env("KNOWLEDGE_LLM_FALLBACK_BASE_URL", "http://elsewhere/v1");
        let config = Config::load(&Overrides::default()).unwrap();
        assert_eq!(config.default_extractor(), Extractor::Llm);
        let models = config.llm().unwrap();
        assert_eq!(models.primary.provider(), "https://api.openai.com");
        let fallback = models.fallback.clone().unwrap();
        assert_eq!(
            fallback.api_key, None,
            "a key goes to its own endpoint only"
        );
        let described = Config::describe(&Overrides::default()).unwrap();
        assert!(
            described.contains("openai_api_key = \"***\"  # environment OPENAI_API_KEY"),
            "{described}"
        );
        assert!(!described.contains("s3cret") && !format!("{models:?}").contains("s3cret"));

        jail.set_env("KNOWLEDGE_EXTRACTOR", "offline");
        let config = Config::load(&Overrides::default()).unwrap();
        assert_eq!(config.default_extractor(), Extractor::Offline);
        Ok(())
    });
}

#[test]
fn prices_are_tables_of_the_file() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file(FILE, "openai_base_url = 'http://127.0.0.1:1'\n[llm_prices.local]\nprompt = 1.5\ncompletion = 2")?;
        let models = Config::load(&Overrides::default()).unwrap().llm().unwrap();
        let price = models.price("local-7b").unwrap();
        assert_eq!(
            format!("{price:?}"),
            "Price { prompt: 1.5, completion: 2.0 }"
        );
        assert!(models.price("gpt-4o-mini").is_some());
        assert_eq!(models.price("unknown"), None);
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
