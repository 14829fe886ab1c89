package google_test

import (
	"context"
	"log"
	"net/http"
	"strings"

	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	ctx := context.Background()
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	service, err := storage.NewService(ctx, option.WithHTTPClient(hc))
	if err != nil {
		log.Fatal(err)
	}
	insert := service.Objects.Insert("bucket", &storage.Object{Name: "object"}).IfGenerationMatch(0).Media(strings.NewReader("content"))
	insert.WithRetry(nil, func(error) bool { return false })
	object, err := insert.Context(transport.Idempotent(ctx)).Do()
	log.Println(object, err)
}
