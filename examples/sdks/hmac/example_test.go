package hmac_test

import (
	"log"
	"net/http"

	"github.com/steadytrip/steadytrip/examples/sdks/hmac"
	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	key, secret := "key-1", []byte("secret")
	hc, err := transport.Wrap(&http.Client{}, transport.Config{PerAttempt: []transport.Middleware{hmac.Sign(key, secret)}})
	log.Println(hc, err)
}
