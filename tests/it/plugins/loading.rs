//! From a file to a plugin.

use dispatch_model::Channel;
use dispatch_plugins::LoadError;

use super::*;

#[tokio::test]
async fn the_bundled_plugins_say_what_they_are() {
    let host = host();
    for (name, channels) in [
        ("twilio", &[Channel::Sms][..]),
        ("telnyx", &[Channel::Sms]),
        ("vonage", &[Channel::Sms]),
        ("infobip", &[Channel::Sms]),
        ("smtp", &[Channel::Email]),
        ("sendgrid", &[Channel::Email]),
        ("ses", &[Channel::Email]),
        ("mailgun", &[Channel::Email]),
        ("postmark", &[Channel::Email]),
        ("resend", &[Channel::Email]),
        ("http", &[Channel::Sms, Channel::Email]),
        ("log", &[Channel::Sms, Channel::Email]),
    ] {
        let plugin = load(&host, name).await;
        assert_eq!(plugin.description().name, name);
        assert_eq!(plugin.description().channels, channels, "{name}");
        let seen = host.inspect(guest(name)).await;
        assert!(seen.refused.is_empty(), "{name}: {:?}", seen.refused);
        assert!(seen.imports.iter().all(|import| import.starts_with("dispatcher:plugin/")), "{name}");
        assert_eq!(seen.sha256, plugin.digest());
    }
}

#[tokio::test]
async fn the_same_bytes_are_one_plugin() {
    let host = host();
    let (one, two) = tokio::join!(host.load("one", guest("log")), host.load("two", guest("log")));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.name(), two.name()), ("one", "two"));
    assert!(std::ptr::eq(one.description(), two.description()), "compiled and described once");
}

#[tokio::test]
async fn a_kept_artefact_serves_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = || HostConfig { cache_dir: Some(folder.path().join("artefacts")), ..config() };
    let before = {
        let host = PluginHost::new(config()).unwrap();
        deliver(&*load(&host, "log").await, "hello").await.unwrap()
    };
    let files = || std::fs::read_dir(folder.path().join("artefacts")).unwrap().count();
    assert_eq!(files(), 1);
    let host = PluginHost::new(config()).unwrap();
    assert_eq!(deliver(&*load(&host, "log").await, "hello").await.unwrap(), before);
    assert_eq!(files(), 1);
    // Torn or edited: compiled anew, and the plugin runs.
    let file = std::fs::read_dir(folder.path().join("artefacts")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut edited = whole.clone();
    edited[whole.len() / 2] ^= 1;
    for bad in [&whole[..whole.len() / 2], &edited] {
        std::fs::write(&file, bad).unwrap();
        let host = PluginHost::new(config()).unwrap();
        assert_eq!(deliver(&*load(&host, "log").await, "hello").await.unwrap(), before);
        let anew = std::fs::read(&file).unwrap();
        assert!(anew.len() == whole.len() && anew != bad, "and the artefact is whole again");
    }
    // Settings that shape the code have an artefact of their own, and leave the other one alone.
    let other = HostConfig { allocation: dispatch_plugins::Allocation::OnDemand, ..config() };
    let host = PluginHost::new(other).unwrap();
    assert_eq!(deliver(&*load(&host, "log").await, "hello").await.unwrap(), before);
    assert!(file.is_file());
}

#[tokio::test]
async fn a_cut_or_foreign_file_is_refused_with_words() {
    let host = host();
    let whole = guest("log");
    let error = host.load("cut", whole[..whole.len() / 2].to_vec()).await.unwrap_err();
    assert!(matches!(error, LoadError::Invalid { .. }), "{error}");
    let error = host.load("text", &b"#!/bin/sh"[..]).await.unwrap_err();
    assert!(matches!(error, LoadError::NotWasm { .. }), "{error}");
}
