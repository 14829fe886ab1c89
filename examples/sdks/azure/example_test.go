package azure_test

import (
	"log"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	options := azcore.ClientOptions{Transport: hc, Retry: policy.RetryOptions{MaxRetries: -1}}
	client, err := aztables.NewClientWithNoCredential("https://account.table.core.windows.net/people", &aztables.ClientOptions{ClientOptions: options})
	log.Println(client, err)
}
