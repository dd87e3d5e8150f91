// Package prefixes describes session namespaces: their names, prefixes,
// timeouts and cookies, and which of them share one identity.
//
// # Families
//
// A root namespace has a cookie. Namespaces below it share its identity: one
// cookie, one login, one logout. A root and all below it are a family. Two
// roots are two families, with two cookies, and know nothing of each other.
//
// A [Registry] is a set of namespaces that was checked: nothing in it can be
// taken for something else, in the store, in the environment or in a browser.
//
// # Settings
//
// [FromEnv] reads settings in the prefixed style: for the namespace "chat",
// CHAT_SESSION_IDLE_TIMEOUT before SESSION_IDLE_TIMEOUT, and that before what
// the program says. A variable that is empty counts as not set. These are all,
// each with or without the prefix; those marked with * are for roots only:
//
//	SESSION_IDLE_TIMEOUT            duration        Namespace.IdleTimeout
//	SESSION_LIFETIME                duration        Namespace.Lifetime
//	SESSION_REMEMBER_IDLE_TIMEOUT * duration        Namespace.RememberIdleTimeout
//	SESSION_REMEMBER_LIFETIME     * duration        Namespace.RememberLifetime
//	SESSION_RENEW_AFTER           * duration or 0   Namespace.RenewAfter
//	SESSION_MAX_PER_USER          * number          Namespace.MaxSessions
//	SESSION_AT_MAX                * end-oldest, refuse-newest  Namespace.AtMax
//	SESSION_SAVE_EVERY_REQUEST    * boolean         Namespace.Save: SaveAlways
//	SESSION_STALE_POLICY            closed, open    Namespace.Stale
//	SESSION_COOKIE_NAME           * text            Cookie.Name
//	SESSION_COOKIE_DOMAIN         * text            Cookie.Domain
//	SESSION_COOKIE_PATH           * text            Cookie.Path
//	SESSION_COOKIE_SECURE         * boolean         Cookie.Insecure, negated
//	SESSION_COOKIE_HTTPONLY       * boolean         Cookie.Scripts, negated
//	SESSION_COOKIE_SAMESITE       * Lax, Strict, None  Cookie.SameSite
//	SESSION_COOKIE_PERSISTENT     * boolean         Cookie.Persistent
//
// A duration is one of Go ("30m", "8h") or a whole number of seconds ("1800"),
// as in Django's settings. A boolean is true or false, 1 or 0, yes or no, on
// or off. Words may be in any case of letters.
//
// Several roots cannot share a cookie: SESSION_COOKIE_NAME without a prefix
// gives all of them the same name, which [NewRegistry] refuses.
//
// This package imports the standard library only.
package prefixes
