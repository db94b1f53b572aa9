/** Checks for ops, gradients and layers: ours and a user's own. */
module dev.gatun.verify {
    requires transitive dev.gatun.layers;
    // For those who use the arbitraries; everything else works without.
    requires static net.jqwik.api;

    exports dev.gatun.verify;
    exports dev.gatun.verify.ptx;

    provides dev.gatun.bindings.cuda.EmulatedCuda with
            dev.gatun.verify.ptx.EmulatedDriver;
}
