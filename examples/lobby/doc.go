// Lobby is the program of the README: a login, a socket, and a logout that
// closes it everywhere.
package main
