//! Several Ed25519 signatures of one key, checked as one equation.
//!
//! A signature (R, s) of a body holds if `s·B = R + k·A`, where B is the curve's base point, A the key, and k the
//! digest of R, A and the body (RFC 8032, 5.1.7). Several hold if the sum of their equations does, each multiplied by
//! a weight that nobody could choose a signature by: the weights are digests of all signatures and bodies. One that
//! does not hold then passes in one of 2^128 tries. The multiplications share their doublings, and since A is the
//! same in all, it is multiplied once.
//!
//! For R outside of the subgroup of prime order the sum is more lenient than each equation by itself. Only who has
//! the private key could make such a signature, and he needs no forgery.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use ed25519_dalek::VerifyingKey;
use ring::digest::{Context, SHA512};

/// Whether all of these (body, signature) are good. False says that one is not, or that one has a form of which the
/// equation says nothing; not which.
pub(crate) fn all_hold<'a>(
    key: &VerifyingKey,
    signed: impl Iterator<Item = (&'a [u8], &'a [u8; 64])>,
) -> bool {
    let equations: Option<Vec<Equation>> =
        signed.map(|(body, signature)| Equation::of(key, body, signature)).collect();
    let Some(equations) = equations else { return false };
    let seed = seed(&equations);
    let (mut base, mut public) = (Scalar::ZERO, Scalar::ZERO);
    let mut scalars = Vec::with_capacity(equations.len() + 2);
    let mut points = Vec::with_capacity(equations.len() + 2);
    for (place, equation) in equations.iter().enumerate() {
        let weight = weight(&seed, place);
        base += weight * equation.s;
        public += weight * equation.k;
        scalars.push(weight);
        points.push(equation.r);
    }
    scalars.extend([public, -base]);
    points.extend([key.to_edwards(), ED25519_BASEPOINT_POINT]);
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_identity()
}

/// What of a signature goes into the sum.
struct Equation {
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl Equation {
    /// None where R is no point, or s is not below the group's order.
    fn of(key: &VerifyingKey, body: &[u8], signature: &[u8; 64]) -> Option<Self> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        let s = Option::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let k = Scalar::from_bytes_mod_order_wide(&sha512([r, key.as_bytes(), body]));
        Some(Self { r: CompressedEdwardsY(*r).decompress()?, s, k })
    }
}

/// Depends on every signature and body: k is the digest of body, key and R.
fn seed(equations: &[Equation]) -> [u8; 64] {
    sha512(equations.iter().flat_map(|equation| [equation.k.as_bytes(), equation.s.as_bytes()]))
}

fn weight(seed: &[u8; 64], place: usize) -> Scalar {
    let digest = sha512([&seed[..], &place.to_le_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Scalar::from(u128::from_le_bytes(bytes))
}

fn sha512<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> [u8; 64] {
    let mut context = Context::new(&SHA512);
    for part in parts {
        context.update(part.as_ref());
    }
    let mut digest = [0; 64];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::SigningKey;

    type Signed = (Vec<u8>, [u8; 64]);

    fn signed(count: usize) -> Vec<Signed> {
        let key = SigningKey::from_seed([7; 32]);
        let sign = |body: &[u8]| STANDARD.decode(key.sign(body)).unwrap().try_into().unwrap();
        (0..count).map(|n| vec![n as u8; n * 40]).map(|body| (body.clone(), sign(&body))).collect()
    }

    fn hold(all: &[Signed]) -> bool {
        let key = SigningKey::from_seed([7; 32]).verifying_key();
        let key = key.as_ed25519().unwrap();
        all_hold(key, all.iter().map(|(body, signature)| (&body[..], signature)))
    }

    /// s plus another number.
    fn shift(signature: &mut [u8; 64], by: Scalar) {
        let s = Scalar::from_canonical_bytes(signature[32..].try_into().unwrap()).unwrap();
        signature[32..].copy_from_slice((s + by).as_bytes());
    }

    #[test]
    fn good_ones_hold_however_many() {
        for count in [1, 2, 3, 17, 64, 200] {
            assert!(hold(&signed(count)), "{count}");
        }
    }

    #[test]
    fn one_that_is_another_ones_does_not_hold() {
        let mut all = signed(8);
        all[2].1 = all[3].1;
        assert!(!hold(&all));
        let mut all = signed(8);
        (all[2].1, all[3].1) = (all[3].1, all[2].1);
        assert!(!hold(&all));
    }

    /// Without weights these errors would cancel out.
    #[test]
    fn errors_that_add_up_to_nothing_do_not_hold() {
        let mut all = signed(2);
        shift(&mut all[0].1, Scalar::from(5u8));
        shift(&mut all[1].1, -Scalar::from(5u8));
        assert!(!hold(&all));
    }

    /// s and s + l say the same; only the smaller is a signature, or each message would have several.
    #[test]
    fn an_s_that_is_not_reduced_does_not_hold() {
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
        ];
        let mut all = signed(3);
        let mut carry = 0;
        for (byte, add) in all[1].1[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(!hold(&all));
    }

    proptest! {
        #[test]
        fn a_bit_changed_anywhere_does_not_hold(which in 0usize..6, bit in 0usize..512) {
            let mut all = signed(6);
            all[which].1[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!hold(&all));
        }

        #[test]
        fn a_bit_changed_in_a_body_does_not_hold(which in 1usize..6, bit in 0usize..320) {
            let mut all = signed(6);
            all[which].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!hold(&all));
        }
    }
}
