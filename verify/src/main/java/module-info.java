/** Checks for ops, gradients and layers: ours and a user's own. */
module dev.gatun.verify {
    requires transitive dev.gatun.layers;
    // For those who use the arbitraries and the generated tests.
    requires static net.jqwik.api;
    requires static org.junit.jupiter.api;
}
