package alter

import (
	"context"

	"github.com/steadytrip/steadytrip/transport"
)

// What the tests, which are a package of their own since package loopback imports this one, need of the inside.
var (
	Masked        = masked
	ClassifierFor = classifierFor
)

// MaxRounds is maxRounds.
const MaxRounds = maxRounds

// Sign is the middleware that signs.
func Sign(key Key, host string, deprecated func(context.Context, string)) transport.Middleware {
	k := &keyring{deprecated: deprecated}
	k.key.Store(&key)
	return k.sign(host)
}
