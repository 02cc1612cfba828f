//! Passwords: AUTH, and what HELLO and the admission of commands ask.
//!
//! There is one user, `default`, and at most one password. Owns the comparison, which takes the same time wherever a wrong
//! password differs.

use subtle::{Choice, ConstantTimeEq};

use super::mistake::Mistake;
use super::parse::is;
use super::spec::{Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::{Client, connection};
use crate::resp::{Args, Reply};

/// Longest password, in bytes, as Redis's CONFIG_AUTHPASS_MAX_LEN.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// Whether `given` is the `secret`. How long it takes depends on the secret's length and on nothing else.
fn is_secret(secret: &[u8], given: &[u8]) -> bool {
    let mut as_long = vec![0; secret.len()];
    let common = given.len().min(secret.len());
    as_long[..common].copy_from_slice(&given[..common]);
    let same_length = Choice::from(u8::from(given.len() == secret.len()));
    (as_long.ct_eq(secret) & same_length).into()
}

/// Lets the client in if the pair is right; a server without a password takes any.
pub(super) fn authenticate(client: &mut Client, user: &[u8], password: &[u8]) -> Result<(), Mistake> {
    let secret = client.server().settings.password();
    if user == b"default" && secret.is_none_or(|secret| is_secret(&secret, password)) {
        client.authenticated = true;
        return Ok(());
    }
    Err(Mistake::new("WRONGPASS invalid username-password pair or user is disabled."))
}

pub(super) const AUTH: Spec = Spec {
    name: "auth",
    summary: "Says the password, before anything else may be asked.",
    usage: "[username] password",
    since: "1.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: -2,
    flags: connection::ANYTIME,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(auth),
};

fn auth(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (user, password): (&[u8], &[u8]) = match args.len() {
        2 if !ctx.server.settings.has_password() => {
            return Err(Mistake::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        2 => (b"default", &args[1]),
        3 => (&args[1], &args[2]),
        _ => return Err(Mistake::SYNTAX),
    };
    authenticate(ctx.client, user, password)?;
    reply.ok();
    Ok(())
}

/// Whether argument `index` of a request is a secret, which neither MONITOR nor the slow log shows.
pub(super) fn is_secret_argument(spec: &Spec, args: Args<'_>, index: usize) -> bool {
    match spec.name {
        "auth" => index > 0,
        "hello" => {
            let auth = args.iter().position(|word| is(word, "AUTH"));
            auth.is_some_and(|auth| auth > 1 && (auth + 1..=auth + 2).contains(&index))
        }
        "config|set" => index > 2 && index % 2 == 1 && is(&args[index - 1], "requirepass"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::resolve;
    use crate::resp::Batch;

    #[test]
    fn only_the_secret_is_the_secret() {
        for (secret, given, expected) in [
            ("secret", "secret", true),
            ("secret", "Secret", false),
            ("secret", "secre", false),
            ("secret", "secrets", false),
            ("secret", "", false),
            ("a\0", "a", false),
            ("a", "a\0", false),
        ] {
            assert_eq!(is_secret(secret.as_bytes(), given.as_bytes()), expected, "{secret:?} {given:?}");
        }
    }

    #[test]
    fn what_is_secret_is_known() {
        for (request, expected) in [
            ("AUTH a", ".x"),
            ("AUTH a b", ".xx"),
            ("HELLO 3 AUTH a b SETNAME c", "...xx.."),
            ("HELLO 3 SETNAME c auth a b", ".....xx"),
            ("CONFIG SET timeout 1 RequirePass b", ".....x"),
            ("GET requirepass", ".."),
        ] {
            let mut batch = Batch::default();
            batch.push(&request.split(' ').collect::<Vec<_>>());
            let args = batch.request(0);
            let spec = resolve(args).unwrap().spec;
            let found: String = (0..args.len())
                .map(|index| if is_secret_argument(spec, args, index) { 'x' } else { '.' })
                .collect();
            assert_eq!(found, expected, "{request}");
        }
    }
}
