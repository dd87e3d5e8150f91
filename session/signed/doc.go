// Package signed makes values that leave the server and come back: the link of
// a password reset, an unsubscribe link, a cookie. What comes back is known to
// be what was sent, and how long ago. It is modelled on Django's
// django.core.signing.
//
// # Text and values
//
// [Signer.Sign] and [Signer.Unsign] are for text, which stays readable:
//
//	ada@example.org:mwsg8eed:roY23nkioQ1ip6K_i6C3-HqDX0jcSF98TTfA2KUTEFI
//
// [Signer.Encode] and [Signer.Decode] are for anything that JSON holds. It is
// compressed where that makes it shorter, and, with the default separator, made
// of characters that need no escaping in a URL or a cookie. What one pair signed
// the other does not accept.
//
// # What a signature is not
//
// It hides nothing: everybody can read what was signed. Secrets stay in the
// session, or are encrypted first. Compression shows, in the length, how much of
// a value repeats, even to those who see only TLS records: no value should hold
// both a secret of the visitor and text that others choose.
//
// It ends nothing: until its age is over, a signed value is good, as often as it
// is shown and whatever was decided meanwhile. For what has to end at once there
// are sessions. For a link that works once, sign something along with it that
// its use changes, such as the beginning of the hash of the present password, and
// compare.
//
// # Keys and purposes
//
// The first of [Options.Keys] signs, all of them verify: to replace one, put the
// new one first on nodes that all know it already, and drop the old one when
// what it signed is too old. [Options.Salt] names the purpose. A signer of
// one purpose does not accept what was signed for another, so that nobody
// shows the link of an unsubscription where a password is reset.
//
// The signature is HMAC-SHA256, under a key that HKDF-SHA256 (RFC 5869) derives
// from the key and the purpose, of the text, the separator and the time. It is
// compared in constant time, before anything else is looked at.
//
// # Concurrency
//
// All methods of [Signer] may be called from any goroutine.
package signed
