package kubernetes_test

import (
	"context"
	"log"
	"net/http"

	"k8s.io/client-go/rest"

	"github.com/steadytrip/steadytrip/examples/sdks/kubernetes"
	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	steady := func(base http.RoundTripper) http.RoundTripper {
		rt, err := transport.New(base, transport.Config{})
		if err != nil {
			log.Fatal(err)
		}
		return rt
	}
	config := &rest.Config{Host: "https://cluster.example"}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return steady(base) })
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		log.Fatal(err)
	}
	log.Println(client.Get().AbsPath("/version").MaxRetries(0).DoRaw(context.Background()))

	// In place of config.Wrap, for typed clients.
	log.Println(kubernetes.Wrap(config, transport.Config{}))
}
