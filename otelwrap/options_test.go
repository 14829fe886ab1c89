package otelwrap_test

import (
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	opts := otelwrap.Options{RedactQuery: []string{"fine", "", "a=b"}, Methods: []string{"GET", "NO METHOD"}}
	_, err := otelwrap.New(nil, transport.Config{PerCall: []transport.Middleware{nil}}, opts)
	if err == nil {
		t.Fatal("no error, want one")
	}
	for _, want := range []string{"RedactQuery[1]", "RedactQuery[2]", "Methods[1]", "transport: Config.PerCall[1]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %q, want %s in it", err, want)
		}
	}
	if _, err := otelwrap.Wrap(nil, transport.Config{}, opts); err == nil {
		t.Error("Wrap: no error, want one")
	}
	if err := (otelwrap.Options{}).Validate(); err != nil {
		t.Errorf("the zero value has faults: %v", err)
	}
}
