package main

import (
	"bytes"
	"context"
	"sync"
)

// memoryAccounts is the [accountStore] of a node that works alone. The zero
// value is empty.
type memoryAccounts struct {
	mu     sync.RWMutex // guards the following fields
	hashes map[string][]byte
}

func (m *memoryAccounts) Insert(_ context.Context, name string, hash []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, taken := m.hashes[name]; taken {
		return bytes.Equal(old, hash), nil
	}
	if m.hashes == nil {
		m.hashes = make(map[string][]byte)
	}
	m.hashes[name] = bytes.Clone(hash)
	return true, nil
}

func (m *memoryAccounts) Hash(_ context.Context, name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return bytes.Clone(m.hashes[name]), nil
}
