//go:build !linux

package main

import (
	"context"
	"errors"
	"net"
)

// fence exists on Linux only.
type fence struct{}

var errNoFence = errors.New("-isolate needs Linux")

func (l *lab) startFence(context.Context, endpoints) (*process, proxyReady, error) {
	return nil, proxyReady{}, errNoFence
}

func (*fence) dial(context.Context, string, string) (net.Conn, error) { return nil, errNoFence }

func dialInside() error { return errNoFence }
