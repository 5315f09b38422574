//go:build !linux

package intercept

import (
	"errors"
	"net"
)

// ownPeer always fails: on this system clients need a token.
func ownPeer(net.Conn) (bool, error) {
	return false, errors.New("this system does not identify the user of a connection")
}
