//! A topic's ARN, and where Amazon keeps what belongs to it.

/// A topic: `arn:aws:sns:REGION:ACCOUNT:NAME`.
#[derive(Debug, PartialEq)]
pub(crate) struct Topic<'a> {
    partition: &'a str,
    region: &'a str,
}

impl<'a> Topic<'a> {
    /// Reads an ARN.
    pub(crate) fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let [prefix, partition, service, region, account, name] = parts[..] else { return None };
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let lower = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let good =
            prefix == "arn" && service == "sns" && lower(partition) && lower(region) && digits && word(name);
        good.then_some(Self { partition, region })
    }

    /// The host of its certificates and confirmations.
    pub(crate) fn host(&self) -> String {
        let end = if self.partition == "aws-cn" { ".cn" } else { "" };
        format!("sns.{}.amazonaws.com{end}", self.region)
    }

    /// The same with https.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.host())
    }
}

/// Whether a URL lies at this place: the same scheme and host, and a path below it.
pub(crate) fn below(url: &str, place: &str) -> bool {
    url.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        let host = |arn| Topic::parse(arn).map(|topic| topic.host());
        assert_eq!(
            host("arn:aws:sns:us-east-1:123456789012:a-b_c"),
            Some("sns.us-east-1.amazonaws.com".into())
        );
        assert_eq!(
            host("arn:aws-cn:sns:cn-north-1:123456789012:a"),
            Some("sns.cn-north-1.amazonaws.com.cn".into())
        );
        for wrong in [
            "",
            "a",
            "arn:aws:sqs:us-east-1:123456789012:a",
            "arn:aws:sns:us-east-1:12:a",
            "arn:aws:sns::123456789012:a",
            "arn:aws:sns:evil.example/:123456789012:a",
            "arn:aws:sns:us-east-1:123456789012:a:b",
        ] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places() {
        let place = "https://sns.us-east-1.amazonaws.com";
        assert!(below("https://sns.us-east-1.amazonaws.com/x.pem", place));
        for wrong in [
            "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
            "https://sns.us-east-1.amazonaws.com:81/x.pem",
            "http://sns.us-east-1.amazonaws.com/x.pem",
            "https://evil.example/https://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com",
        ] {
            assert!(!below(wrong, place), "{wrong}");
        }
    }
}
