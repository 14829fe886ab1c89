package elastic_test

import (
	"log"
	"net/http"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client, err := elastictransport.NewClient(elastictransport.WithTransport(hc.Transport), elastictransport.WithDisableRetry())
	log.Println(client, err)
}
