// Package notice is the one text form of an end: what a node tells the others
// when a session, a namespace of it, or an older login of it is over.
//
// A notice is carried by Redis pub/sub or by a function call, so it is a
// string wherever it crosses from one package to another. Nothing in it is
// secret: an id is a look-up key, not a credential.
package notice
