package statuspage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/statuspage"
)

func ExampleHandler() {
	shared := transport.NewShared(nil, transport.Keys{})
	if _, err := transport.Wrap(&http.Client{}, transport.Config{Shared: shared}); err != nil {
		panic(err)
	}
	if err := shared.ForceOpen("https://api.example.com", time.Minute); err != nil {
		panic(err)
	}

	admin := http.NewServeMux()
	admin.Handle("/debug/calls", statuspage.Handler(shared, statuspage.Options{}))

	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/calls?format=json", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"key":"https://api.example.com","state":"open"`))
	// Output: 200 true
}
