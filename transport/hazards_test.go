package transport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hazards lists the ways in which a layer like this one is known to go wrong, and the tests that keep it from doing so;
// or why there is nothing to test. Names in covered are separated by spaces.
var hazards = []struct{ hazard, covered, why string }{
	// Wrong data, and effects twice.
	{"a later attempt sends a part of the body, or none", "transport.TestEveryAttemptCarriesTheWholeBody transport.TestBufferedUploadsAreRepeatedWhole", ""},
	{"an attempt reads from a reader that an earlier one still uses", "transport.TestPromisesThatATextbookLoopBreaks transport.TestAnswersBeforeTheEndOfTheUploadDamageNoOther transport.TestBufferedUploadIsUndamagedAfterEarlyAnswers", ""},
	{"a request with an effect is sent twice", "transport.TestWhatMayHaveBeenActedOnIsSentOnce transport.TestIdempotencyKeyIsTheSameForAllAttemptsOfACall policy.TestReplayOf policy.TestReplayCheck", ""},
	{"the context of the last attempt ends before its body", "transport.TestContextsOfAttemptsAreReleased transport.TestAnswersAreHandedOutAtTheirHeaders", ""},
	{"a limit on an attempt cuts the body off", "transport.TestAttemptTimeoutDoesNotCutTheBody transport.TestAttemptTimeoutDoesNotCutARealBody transport.TestAnswerInTheInstantOfTheTimeoutIsTooLate", ""},
	{"a truncated body passes for a whole one", "classify.TestATruncatedAnswerStaysTruncated classify.TestAPeekedBodyReadsAsItIs", ""},
	{"looking at a body changes it, or what the header says of it", "classify.TestPeekingChangesNothingOfARealAnswer classify.TestHostileBodiesTakeLinearTime classify.FuzzMembers", ""},
	{"the caller's request is changed", "transport.TestCallersRequestStaysAsItIs transport.TestPromisesThatATextbookLoopBreaks", ""},
	{"trailers are lost", "transport.TestTrailersSurviveARetryInBothDirections transport.TestCallersRequestStaysAsItIs classify.TestTrailersStillArrive", ""},
	{"a request is sent again after its answer was handed out", "transport.TestAFailureWithinABodyIsTheCallers transport.TestResumeDoesNotAsk transport.TestResumeNeverMixesVersions", ""},

	// Calls that hang, leak or crash.
	{"a request's body is left open", "transport.TestRequestBodyIsClosedOnEveryPath transport.TestBreakerHoldsForTheServersHint", ""},
	{"a body of GetBody is left open", "transport.TestCancelledPauseReturnsTheCause transport.TestRequestBodyIsClosedOnEveryPath transport.TestABodyIsTakenOnlyForAnAttempt", ""},
	{"an answer that nobody gets is left open", "transport.TestEveryDiscardedAnswerIsClosed transport.TestImpoliteBases transport.TestPanickingHookLeavesNoAnswerOpen", ""},
	{"draining an answer takes a gigabyte", "transport.TestDiscardingIsBoundedWhateverTheBody transport.TestPromisesThatATextbookLoopBreaks", ""},
	{"draining or closing an answer takes for ever", "transport.TestDiscardingIsBoundedWhateverTheBody transport.TestDiscardEndsAStuckUploadOverHTTP2 transport.TestStalledErrorBodyDoesNotStallTheCall", ""},
	{"looking at a body waits for the server", "transport.TestErrorStreamsArriveAsTheyAreSent classify.TestAStalledAnswerIsNotWaitedFor classify.TestSomeBodiesAreNotTouched", ""},
	{"an upload is read before it is sent", "transport.TestUploadWithoutGetBodyIsStreamedOnce transport.TestBothDirectionsAtOnce transport.TestBufferedUploadStreamsAndAnswersEarly transport.TestPromisesThatATextbookLoopBreaks", ""},
	{"an answer is read before it is returned", "transport.TestAnswersAreHandedOutAtTheirHeaders transport.TestBothDirectionsAtOnce", ""},
	{"a pause goes on after the caller has left", "transport.TestCancelledPauseReturnsTheCause transport.TestRequestCancelChannelEndsAPause", ""},
	{"an attempt is made for a caller who has left, or who has not left is taken to have", "transport.TestNoAttemptAfterTheCallersEnd transport.TestTheCallersEndReachesTheAttempt", ""},
	{"a pause is begun that the deadline will cut short", "transport.TestDeadlineTooNearHandsTheAnswerBackAtOnce transport.TestPromisesThatATextbookLoopBreaks policy.TestNextStopsOrRetries", ""},
	{"attempts or their time have no bound", "policy.TestCallsStayWithinTheirBounds policy.TestNextDoesNotOverflow policy.TestNextStaysBoundedWhenTheClockGoesWrong transport.TestTrailIsBounded", ""},
	{"a goroutine stays behind", "transport.TestNothingIsLeftRunning transport.TestMain classify.TestMain", ""},
	{"a timer stays behind", "transport.TestAttemptsHaveTheCallersContext",
		"each timer is made and stopped by one function: the pause, the look at a body, the end of an answer, the limit on an attempt; no context is made with a deadline"},
	{"the context of an attempt is never released", "transport.TestContextsOfAttemptsAreReleased transport.TestAttemptsHaveTheCallersContext transport.TestAttemptTimeoutReleasesTheContextWithTheBody transport.TestResumeKeepsAndReleasesContexts", ""},
	{"closing a body waits for a Read, or does not reach the base", "classify.TestCloseWakesAStalledRead classify.TestReadAndCloseMayRunAtTheSameTime transport.TestAttemptTimeoutBodyIsClosedOnceAlsoDuringARead transport.TestResumeLetsCloseReturnAtOnce", ""},
	{"calls at the same time race", "transport.TestConcurrentCallsOverRealConnections transport.TestBreakerUnderRace policy.TestPolicyServesManyGoroutines", ""},
	{"a panic is swallowed, or leaves something locked", "transport.TestImpoliteBases transport.TestEveryDiscardedAnswerIsClosed transport.TestProbesSlotAlwaysComesBack", ""},
	{"a base returns neither an answer nor an error", "transport.TestImpoliteBases transport.TestEveryDiscardedAnswerIsClosed", ""},
	{"a base returns both", "transport.TestImpoliteBases", ""},
	{"a base returns an answer without a body", "transport.TestImpoliteBases transport.TestEveryDiscardedAnswerIsClosed", ""},
	{"a request has no URL, no header map or no method", "transport.TestRequestBodyIsClosedOnEveryPath transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain transport.TestARequestCanBeSentAgain", ""},
	{"every retry takes a new connection", "transport.TestDiscardedAnswersKeepTheConnection transport.TestPromisesThatATextbookLoopBreaks", ""},
	{"a huge Retry-After overflows and becomes none", "transport.TestHintsOfAnySizeNeitherStallNorHurry classify.TestRetryAfter", ""},
	{"a long Retry-After stalls the caller, or is cut short behind the server's back", "transport.TestHintsOfAnySizeNeitherStallNorHurry transport.TestLongHintsByProfile", ""},
	{"a Retry-After in a form of its own is misread", "classify.TestRetryAfter classify.FuzzRetryAfter transport.TestPromisesThatATextbookLoopBreaks", ""},
	{"uploads are kept in memory without a bound", "transport.TestUploadsAreNotBuffered transport.TestGetBodyFailsBeyondTheBuffer transport.TestBufferBoundsItsMemory", ""},
	{"retries of several layers multiply", "transport.TestNestedChainsRetryOnce transport.TestErrorsTellOuterRetriesToStop transport.TestBudgetRefusesRetriesAndHasItsReason",
		"http.Transport's own resending of what it never sent is left to it and looks like one attempt"},

	// Breakers that stick, or open for nothing.
	{"a caller who leaves opens the breaker", "transport.TestTheCallersEndIsNeutralToTheBreaker policy.TestBreakerNeverCountsTheCallersDoing", ""},
	{"a cancelled probe keeps its slot", "transport.TestProbesSlotAlwaysComesBack", ""},
	{"a probe that panics keeps its slot", "transport.TestProbesSlotAlwaysComesBack", ""},
	{"a probe whose body nobody reads keeps its slot", "transport.TestProbesAreDecidedAtTheirHeaders policy.TestValidateRefuses", ""},
	{"a half-open breaker lets one too many through", "transport.TestHalfOpenLetsExactlyTheProbesThrough", ""},
	{"a refusal is slow, is retried, or passes for a timeout", "transport.TestBreakerHoldsForTheServersHint transport.TestRefusalIsNotRetried", ""},
	{"what is no fault of the server's counts", "transport.TestBreakerCountsOnlyWhatThePolicyNames policy.TestBreakerCounts policy.TestBreakerNeverCountsTheCallersDoing", ""},
	{"a server has several breakers, or several share one", "transport.TestBreakersAreKeptByServerOrByTheUsersKey", ""},
	{"breakers fill the memory, or making room closes an open one", "transport.TestManyKeysStayWithinTheBound transport.TestAFloodOfKeysClosesNoOpenBreaker", ""},
	{"what was sent before a breaker opened closes it", "transport.TestLateSuccessDoesNotCloseTheBreaker", ""},

	// The contract of a RoundTripper, and what its errors mean.
	{"an answer becomes an error", "transport.TestExhaustedRetriesYieldTheLastAnswer transport.TestStatusesThatAreSentAgain", ""},
	{"an error loses its cause", "transport.TestErrorsKeepWhatTheBaseSaid transport.TestNoAttemptAfterTheCallersEnd", ""},
	{"a timeout no longer says that it is one", "transport.TestTimeoutsStayTimeouts transport.TestClientTimeoutsAreToldAsTimeouts classify.TestErrorsForwardTimeoutAndTemporary", ""},
	{"an error that net/http compares comes out wrapped", "transport.TestErrorsThatNetHTTPComparesComeOutAsTheyAre transport.TestPermanentFailuresAreTriedOnce", ""},
	{"an error shows the URL of an inner client", "transport.TestErrorsKeepWhatTheBaseSaid", ""},
	{"http.Client.Timeout does not bound the whole", "transport.TestClientTimeoutsAreToldAsTimeouts transport.TestClientTimeoutBoundsTheWholeCall", ""},
	{"a request's Cancel channel is forgotten", "transport.TestRequestCancelChannelEndsAPause transport.TestAttemptsHaveTheCallersContext", ""},
	{"a limit on an attempt passes for the caller's deadline, or is held up by a stuck upload", "transport.TestAttemptTimeoutIsToldFromTheCallersEnd transport.TestAttemptTimeoutIsOfKindTimeout transport.TestTimeoutOfAStalledHeaderDespiteAStuckUpload transport.TestNoAttemptAfterTheCallersEnd", ""},
	{"a late cancellation does not reach the body, or loses its cause", "transport.TestTheCallersEndReachesTheAttempt", ""},
	{"redirects are followed inside", "transport.TestRedirectsStayTheClients", ""},
	{"cookies or credentials are added inside", "transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain", ""},
	{"an upgraded connection can no longer be written to", "transport.TestUpgradedConnectionStaysWritable transport.TestAttemptTimeoutOverARealUpgrade transport.TestPromisesThatATextbookLoopBreaks classify.TestSomeBodiesAreNotTouched", ""},
	{"the answer to HEAD loses its length", "transport.TestAnswersWithoutABodyStayAsTheyAre", ""},
	{"a 204, 205 or 304 is waited for or repeated", "transport.TestAnswersWithoutABodyStayAsTheyAre classify.TestSomeBodiesAreNotTouched", ""},
	{"a request without a body gets one", "transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain", ""},
	{"an attempt misses a part of the request, or has one twice", "transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain transport.TestCallersRequestStaysAsItIs", ""},
	{"an idempotency key without values is not seen, or sent", "transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain policy.TestReplayOf", ""},
	{"compressed answers are taken for plain ones, or unpacked twice", "classify.TestGzipAnswers classify.TestPeekingChangesNothingOfARealAnswer classify.FuzzGzip", ""},
	{"an answer lacks its request, or what is known of its connection", "transport.TestAnswersWithoutABodyStayAsTheyAre transport.TestImpoliteBases classify.TestAVerdictRidesOnACopyOfTheRequest", ""},
	{"CloseIdleConnections does not arrive, or is called for every failure", "transport.TestCloseIdleConnectionsReachesTheBase transport.TestEveryDiscardedAnswerIsClosed", ""},
	{"the caller's connection trace is replaced, or raced with", "transport.TestTheCallersTraceSeesEveryAttempt transport.TestProveUnsentKeepsTheCallersTrace", ""},
	{"a value of the caller's context is hidden from the base", "transport.TestAttemptNumberRidesInTheContext", ""},
	{"an upload is read before the server has asked for it", "transport.TestAnUploadNobodyAskedForIsNotRead", ""},
	{"GetBody fails and the answer at hand is lost", "transport.TestABodyIsTakenOnlyForAnAttempt transport.TestRequestBodyIsClosedOnEveryPath", ""},
	{"a request that is sent a second time is mistaken for the first", "transport.TestARequestCanBeSentAgain transport.TestResentRequestGetsAVerdictOfItsOwn transport.TestResentResponseRequestHasATrailOfItsOwn", ""},
	{"answers of 1xx are lost", "transport.TestTheCallersTraceSeesEveryAttempt", ""},

	// What a failure means.
	{"a request that can never be sent is repeated, or counts", "transport.TestPermanentFailuresAreTriedOnce policy.TestBreakerCounts", ""},
	{"a certificate is expected to get better", "transport.TestPermanentFailuresAreTriedOnce classify.TestNetworkErrors", ""},
	{"that nothing was sent is guessed", "classify.TestNetworkErrors transport.TestProveUnsent transport.TestProveUnsentProvesNothingOfOtherBases", ""},
	{"a connection that was lost is not recognised, or proves too much", "classify.TestNetworkErrors transport.TestWhatMayHaveBeenActedOnIsSentOnce", ""},
	{"timeouts before and after sending are the same", "classify.TestNetworkErrors transport.TestWhatMayHaveBeenActedOnIsSentOnce transport.TestTimeoutIsRetriedIfThatIsSafe", ""},
	{"failures of HTTP/2 are not told apart", "classify.TestHTTP2Errors classify.TestRefusedStreamsAreUnprocessed classify.TestHTTP2ErrorsOfABodyAreTold", ""},
	{"failures that only a client has are expected here", "transport.TestRedirectsStayTheClients",
		"redirects and their limits exist above the RoundTripper; a client that serves as the base has its *url.Error taken off"},
	{"a name that does not exist is looked up again and again", "classify.TestNetworkErrors policy.TestValidateRefuses", ""},
	{"an alert of TLS after the handshake passes for never sent", "classify.TestNetworkErrors", ""},
	{"a status is repeated that should not be, or the reverse", "transport.TestStatusesThatAreSentAgain classify.TestProviderStatuses", ""},
	{"an upload that cannot be read is repeated, or taken for whole", "transport.TestAnUploadThatBreaksIsNeverTakenForWhole", ""},
	{"a proxy's refusal passes for the server's answer", "classify.TestNetworkErrors", ""},

	// What is told, and how it is run.
	{"the text of an error holds a secret", "classify.TestNoErrorTextRepeatsAURL classify.TestNoErrorTextRepeatsAnAnswer transport.TestErrorsKeepWhatTheBaseSaid transport.TestBreakersAreKeptByServerOrByTheUsersKey", ""},
	{"logs or spans hold a secret", "transport.TestLogSaysWhatHappenedAndNoSecret otelwrap.TestSpanTellsWhatToDo otelwrap.TestURLsShowNoSecret",
		"the chain itself makes no spans; those of package otelwrap are tested with them"},
	{"a peeked body gets into logs", "transport.TestLogSaysWhatHappenedAndNoSecret", "a log record has names from closed lists, a method and a host, and no code or message of an answer"},
	{"trace fields are sent twice, or one span for all attempts", "transport.TestEveryAttemptIsOnTheWireAsWithoutTheChain transport.TestAttemptNumberRidesInTheContext",
		"nothing is injected here: the caller's fields go out as they are with each attempt, and whoever injects does so in PerAttempt, on a copy"},
	{"a span does not end, or ends twice", "otelwrap.TestEachSpanEndsOnce", ""},
	{"metrics grow with every path or error text", "classify.TestKindNamesAreUniqueAndReadBack policy.TestReasonNames transport.TestErrorsTellOuterRetriesToStop otelwrap.TestSeriesFindRoomOrAreToldByLess",
		"no metrics are recorded here; what is offered as labels (kind, action, reason, error type) are closed lists"},
	{"a hook panics, blocks, or is called under a lock", "transport.TestPanickingHookLeavesNoAnswerOpen transport.TestHooksMayUseTheChain", ""},
	{"the number of a retry is wrong or missing", "transport.TestCountRetries transport.TestAttemptNumberRidesInTheContext transport.TestTrailTellsEachAttempt",
		"the attributes of spans that repeat it are otelwrap's"},
	{"jitter overflows, panics, or shortens a server's hint", "policy.TestNextSpreadsPauses policy.TestNextDoesNotOverflow policy.FuzzNext", ""},
	{"retries have no budget, lose its tokens, or share it between servers", "policy.TestBucket policy.TestRetriesStayWithinTheBudget transport.TestBudgetTakesBackWhatWasNotSent transport.TestOneServersOutageSpendsNoOthersBudget", ""},
	{"a configuration makes no sense and nobody says so", "policy.TestValidateRefuses policy.TestPolicyIsACopy transport.TestNewReportsEveryFaultAtOnce transport.TestNoBaseIsTheDefaultTransportOfTheMoment", ""},
	{"another release of Go behaves otherwise", "transport.TestDiscardedAnswersKeepTheConnection transport.TestTrailersSurviveARetryInBothDirections classify.TestEveryUnexportedTypeIsProvenByARealError",
		"an answer is drained before the next attempt and never after it was handed out, so that a drain within Close finds nothing to do and nothing to race with"},
}

func TestEveryHazardIsCoveredOrArguedAway(t *testing.T) {
	known := testsOfTheModule(t)
	seen := map[string]bool{}
	for _, h := range hazards {
		if h.hazard == "" || h.covered == "" && h.why == "" {
			t.Errorf("%q has neither a test nor a reason", h.hazard)
		}
		if seen[h.hazard] {
			t.Errorf("%q is there twice", h.hazard)
		}
		seen[h.hazard] = true
		for name := range strings.FieldsSeq(h.covered) {
			if !known[name] {
				t.Errorf("%q: there is no test %s", h.hazard, name)
			}
		}
	}
}

// testsOfTheModule returns the names of all tests and fuzz targets, as package.TestName.
func testsOfTheModule(t *testing.T) map[string]bool {
	t.Helper()
	root, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	known := map[string]bool{}
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root.FS(), path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := strings.TrimSuffix(file.Name.Name, "_test")
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				known[pkg+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
