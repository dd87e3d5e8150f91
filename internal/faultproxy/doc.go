// Package faultproxy puts faults between a client and Redis in a test: silence
// in one direction, of all connections or of some, latency, refused and broken connections, and replies that
// are lost after the command took effect.
//
//	server := redistest.Start(t)
//	proxy := faultproxy.Start(t, server.Addr)
//	client := redis.NewClient(&redis.Options{Addr: proxy.Addr})
//	proxy.CutOnReply(1) // the next command is carried out; its reply is lost
//
// It knows nothing of the protocol: a chunk is what one read returned. A small
// reply to one command, or to one pipeline, is one chunk.
package faultproxy
