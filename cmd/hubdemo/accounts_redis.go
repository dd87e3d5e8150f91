package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// accountsTimeout bounds one look at the accounts.
const accountsTimeout = 500 * time.Millisecond

// redisAccounts is the [accountStore] of nodes that share a Redis. An account
// is the hash <prefix>:account:<name> with the field "password".
type redisAccounts struct {
	client redis.UniversalClient
	prefix string
}

func (s *redisAccounts) key(name string) string { return s.prefix + ":account:" + name }

func (s *redisAccounts) Insert(ctx context.Context, name string, hash []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, accountsTimeout)
	defer cancel()
	inserted, err := s.client.HSetNX(ctx, s.key(name), "password", hash).Result()
	if err != nil || inserted {
		return inserted, err
	}
	// The client retries when a reply is lost, so the account may be our own.
	old, err := s.Hash(ctx, name)
	return bytes.Equal(old, hash), err
}

func (s *redisAccounts) Hash(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, accountsTimeout)
	defer cancel()
	hash, err := s.client.HGet(ctx, s.key(name), "password").Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return hash, err
}
