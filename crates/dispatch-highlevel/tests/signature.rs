//! Signatures and keys, against vectors that openssl made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dispatch_highlevel::{Claim, KeyError, SignatureError, SigningKey, VerifyingKey, verify, verify_all};
use proptest::prelude::*;
use serde_json::Value;

const BODY: &[u8] = include_bytes!("../../../tests/fixtures/highlevel/B1_live_sms_full.json");

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn vector(pointer: &str) -> String {
    vectors().pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}")).to_owned()
}

fn key(pointer: &str) -> VerifyingKey {
    vector(pointer).parse().unwrap()
}

fn check(keys: &[VerifyingKey], body: &[u8], headers: &[&str]) -> Result<(), SignatureError> {
    verify(keys, body, headers.iter().map(|value| value.as_bytes()))
}

#[test]
fn openssl_signatures_verify_whatever_the_algorithm() {
    let keys = [key("/ed25519/public"), key("/rsa_4096/public"), key("/rsa_2048/public")];
    for name in ["ed25519", "rsa_4096", "rsa_2048"] {
        let signature = vector(&format!("/{name}/signature"));
        assert_eq!(check(&keys, BODY, &[&signature]), Ok(()), "{name}");
        let mut other = BODY.to_vec();
        other[10] ^= 1;
        assert_eq!(check(&keys, &other, &[&signature]), Err(SignatureError::Wrong), "{name}");
        let padless = signature.trim_end_matches('=');
        assert_eq!(check(&keys, BODY, &[padless]), Ok(()), "{name} without padding");
    }
}

#[test]
fn each_form_of_a_key_is_the_same_key() {
    let pem = vector("/ed25519/public");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for form in [
        pem.clone(),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\r\n"),
        format!("\n  {pem}"),
        der,
        vector("/ed25519/raw_base64"),
        vector("/ed25519/raw_base64").trim_end_matches('=').to_owned(),
        vector("/ed25519/raw_hex"),
        vector("/ed25519/raw_hex").to_uppercase(),
    ] {
        assert_eq!(form.parse::<VerifyingKey>().unwrap(), key("/ed25519/public"), "{form}");
    }
    assert_eq!(key("/rsa_2048/public"), key("/rsa_2048/public_pkcs1"));
}

#[test]
fn the_published_keys_are_read() {
    let keys = VerifyingKey::published();
    let algorithms: Vec<_> = keys.iter().map(VerifyingKey::algorithm).collect();
    assert_eq!(algorithms, ["ed25519", "rsa"]);
    assert_eq!(format!("{:?}", keys[0]), "ed25519 i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=");
    assert!(format!("{:?}", keys[1]).starts_with("rsa-4096 sha256:"));
}

#[test]
fn broken_keys_are_explained() {
    let pem = vector("/ed25519/public");
    let cases = [
        (String::new(), KeyError::Empty),
        (" \\n ".to_owned(), KeyError::Empty),
        (vector("/ed25519/private"), KeyError::Private),
        (
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----".to_owned(),
            KeyError::OtherPem("CERTIFICATE".to_owned()),
        ),
        (pem[..60].to_owned(), KeyError::CutOff),
        ("-----BEGIN PUBLIC KEY".to_owned(), KeyError::CutOff),
        ("not a key!".to_owned(), KeyError::Encoding),
        ("AAAA".to_owned(), KeyError::Unknown { len: 3 }),
        (STANDARD.encode([0x30; 44]), KeyError::Unknown { len: 44 }),
        (vector("/rsa_1024/public"), KeyError::RsaSize { bits: 1024 }),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<VerifyingKey>().unwrap_err(), expected, "{text}");
    }
}

#[test]
fn what_counts_as_not_signed_malformed_and_wrong() {
    let keys = [key("/ed25519/public"), key("/rsa_4096/public")];
    let good = vector("/ed25519/signature");
    let of_other_key = SigningKey::from_seed([9; 32]).sign(BODY);
    let zeros_64 = STANDARD.encode([0; 64]);
    let zeros_512 = STANDARD.encode([0; 512]);
    let zeros_65 = STANDARD.encode([0; 65]);
    let huge = "A".repeat(5_000);
    let cases: &[(&[&str], Result<(), SignatureError>)] = &[
        (&[], Err(SignatureError::Missing)),
        (&[""], Err(SignatureError::Missing)),
        (&["  "], Err(SignatureError::Missing)),
        (&["N/A"], Err(SignatureError::Missing)),
        (&["n/a", ""], Err(SignatureError::Missing)),
        (&["%%%"], Err(SignatureError::Malformed)),
        (&["AAAA"], Err(SignatureError::Malformed)),
        (&[&zeros_65], Err(SignatureError::Malformed)),
        (&[&huge], Err(SignatureError::Malformed)),
        (&[&zeros_64], Err(SignatureError::Wrong)),
        (&[&zeros_512], Err(SignatureError::Wrong)),
        (&[&of_other_key], Err(SignatureError::Wrong)),
        (&["%%%", &of_other_key], Err(SignatureError::Wrong)),
        (&["N/A", &good], Ok(())),
        (&[&zeros_512, &good], Ok(())),
        (&[&format!(" {good} ")], Ok(())),
        (&[&zeros_64, &zeros_64, &zeros_64, &zeros_64, &good], Err(SignatureError::Wrong)),
    ];
    for (headers, expected) in cases {
        assert_eq!(check(&keys, BODY, headers), *expected, "{headers:?}");
    }
    assert_eq!(check(&[], BODY, &[&good]), Err(SignatureError::Wrong));
    assert_eq!(check(&VerifyingKey::published(), BODY, &[&good]), Err(SignatureError::Wrong));
}

#[test]
fn together_each_is_judged_as_it_is_alone() {
    let (first, second) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let published = VerifyingKey::published();
    let own = [first.verifying_key(), key("/rsa_2048/public"), second.verifying_key()];
    let of_second = [second.verifying_key()];
    let rsa = vector("/rsa_2048/signature");
    let other = first.sign(b"other bytes");
    let (by_first, by_second) = (first.sign(BODY), second.sign(BODY));
    let cases: &[(&[VerifyingKey], &[&str])] = &[
        (&own, &[&by_first]),
        (&of_second, &[&by_second]),
        (&own, &[&by_second]),
        (&own, &[&rsa]),
        (&own, &["N/A", &by_first]),
        (&own, &[&other, &by_first]),
        (&own, &[]),
        (&own, &["%%%"]),
        (&published, &[&by_first]),
        (&[], &[&by_first]),
        (&of_second, &[&by_second, "N/A"]),
    ];
    // Also in groups in which all are good, of one key and of two.
    for group in [cases, &cases[..1], &cases[..2], &[cases[0], cases[4], cases[1], cases[10], cases[0]]] {
        let claims: Vec<Claim<'_>> = group
            .iter()
            .map(|(keys, headers)| Claim {
                keys,
                body: BODY,
                values: headers.iter().map(|value| value.as_bytes()).collect(),
            })
            .collect();
        let alone: Vec<_> = group.iter().map(|(keys, headers)| check(keys, BODY, headers)).collect();
        assert_eq!(verify_all(&claims), alone);
    }
    assert_eq!(verify_all(&[]), []);
}

#[test]
fn a_signing_key_reads_openssl_and_writes_what_it_reads() {
    let signing: SigningKey = vector("/ed25519/private").parse().unwrap();
    // Ed25519 is deterministic: the same key signs the same bytes alike.
    assert_eq!(signing.sign(BODY), vector("/ed25519/signature"));
    assert_eq!(signing.public_pem(), vector("/ed25519/public"));
    assert_eq!(signing.to_pem(), vector("/ed25519/private"));
    assert_eq!(signing.verifying_key(), key("/ed25519/public"));
    assert!(!format!("{signing:?}").contains("PRIVATE"));
    assert!(vector("/ed25519/public").parse::<SigningKey>().is_err());
    assert_eq!("".parse::<SigningKey>().unwrap_err(), KeyError::Empty);
}

#[test]
fn a_signing_key_reads_the_newer_form_with_the_public_key_in_it() {
    let document = ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = ring::signature::Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let signing: SigningKey = STANDARD.encode(document.as_ref()).parse().unwrap();
    assert_eq!(signing.sign(BODY), STANDARD.encode(pair.sign(BODY)));
}

proptest! {
    #[test]
    fn no_text_makes_the_key_reader_panic(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = text.parse::<VerifyingKey>();
        let _ = STANDARD.encode(&bytes).parse::<VerifyingKey>();
        let _ = STANDARD.encode(&bytes).parse::<SigningKey>();
    }

    #[test]
    fn no_bytes_are_a_signature(body in prop::collection::vec(any::<u8>(), 0..100), header in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(verify(&VerifyingKey::published(), &body, [&header[..]]).is_err());
    }

    #[test]
    fn a_cut_key_is_an_error_and_no_panic(cut in 0usize..800) {
        let pem = vector("/rsa_4096/public");
        let cut = cut.min(pem.len() - 30);
        prop_assert!(pem[..cut].parse::<VerifyingKey>().is_err());
    }
}
