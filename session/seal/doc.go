// Package seal encrypts and compresses the values of sessions on their way to
// a store, so that a copy of the store's memory, its disk or a backup does not
// show them, and nobody who can only write to the store makes one up. Numbers of
// a counter are the exception: the store adds to them, so they stand there in the
// clear, and package session takes any whole number in the clear for one. What
// decides about rights does not belong into a number alone.
//
// # What is sealed
//
// A [Codec] works on one value at a time, as JSON text, and binds it to the
// place where it stands: a value that was copied to another session,
// namespace or key does not open. Not hidden are the names of sessions,
// namespaces and keys, how long each value is, and when it was written. Who can
// write to the store can still delete a value, or put an older value of the same
// place back.
//
// # Keys
//
// The first of [Options.Keys] writes, all of them read. To replace a key:
//
//  1. add the new one as the last, on every node, so that all can read it;
//  2. make it the first, on every node;
//  3. drop the old one when the longest lifetime of a session has passed.
//
// To begin with encryption on a running store, set [Options.AcceptPlain] along
// with the first key, and take it away again after the same time. As long as it
// is set, who can write to the store can put plain values in.
//
// The order matters: a value that a node cannot decode answers [ErrUndecodable],
// and package session then takes its whole namespace for empty, and replaces it
// with the next change. So a lost key, or one that a node does not have yet, is
// lost values.
//
// # Compression
//
// Compression shows, in the length, how much of a value repeats. If one value
// holds both a secret and text that an attacker chooses, and the attacker
// sees how long it becomes, then guesses that shorten it find the secret out byte
// by byte, encrypted or not. That is the attack called CRIME. Each value is
// compressed alone, so a secret under a key of its own is safe. Leave
// [Options.CompressAbove] at 0 where values mix the two.
//
// # Format
//
// All lengths are in bytes. No JSON text begins with 0x01.
//
//	JSON text                                               not encrypted, not compressed
//	0x01 0x12 deflated                                      compressed
//	0x01 0x11 key id (4) salt (12) nonce (12) text tag (16) encrypted
//	0x01 0x13 key id (4) salt (12) nonce (12) deflated tag (16)
//
// The second byte is the version, 1, in its upper half and flags in its lower.
// "deflated" is the length of the text as a uvarint and its DEFLATE stream
// (RFC 1951); it stands only where it is shorter than the text.
//
// Encryption is AES-256-GCM. The first six bytes and the place are its
// additional data. Its key is derived from the salt and the key of [Options] by
// HKDF-SHA256 (RFC 5869): with random nonces one GCM key is good for 2^32 values
// (NIST SP 800-38D, section 8.3), which a site of 10,000 saves a second reaches
// in five days. With salt and nonce there are 192 random bits in each value, and
// a key of [Options] is good for 2^80, which is never.
//
// # Concurrency
//
// All methods of [Codec] may be called from any goroutine.
package seal
