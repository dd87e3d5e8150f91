//go:build unix

package transport

import (
	"net"
	"syscall"
)

// writeNow writes what the kernel takes at once, and returns how many bytes that are: 0
// too for another connection than one of the kernel's own, such as one with TLS. Others
// may have a Write that does more, so that to have a descriptor is not enough.
func writeNow(c net.Conn, p []byte) (n int) {
	var sc syscall.Conn
	switch c := c.(type) {
	case *net.TCPConn:
		sc = c
	case *net.UnixConn:
		sc = c
	default:
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), p) // the descriptor does not block
		return true
	})
	return max(n, 0)
}
