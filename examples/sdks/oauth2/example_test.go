package oauth2_test

import (
	"context"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	ctx := context.Background()
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	config := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: "https://login.example/token", AuthStyle: oauth2.AuthStyleInHeader}}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, hc)
	source := config.TokenSource(ctx, &oauth2.Token{RefreshToken: "example"})
	client := &http.Client{Transport: &oauth2.Transport{Base: hc.Transport, Source: source}}
	log.Println(client)
}
