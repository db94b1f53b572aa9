package dev.gatun.layers.memory;

/**
 * How a memory's weights move, with {@code G_t} the gradient of the loss over the window of token t, r the retention,
 * μ the momentum, λ the rate and NS five steps of Newton-Schulz for each weight matrix.
 */
public enum Rule {
    /** {@code W = r W - λ G}: OmegaNet; ATLAS, equations 10 and 56. */
    GD,
    /** {@code S = μ S - λ G, W = r W + S}: Titans, equations 13 and 14; with a window ATLAS, equations 12 and 13. */
    GDM,
    /** {@code S = μ S + G, W = r W - λ NS(S)}: Atlas; ATLAS, equations 32 and 33. */
    MUON,
    /** {@code S = μ S - λ G, W = r W + NS(S)}: Atlas as in the paper's appendix, equations 57 and 58; steps have unit size whatever λ. */
    MUON_IN;

    /** Whether past gradients are kept in a second set of weights. */
    boolean hasMomentum() {
        return this != GD;
    }

    /** Whether steps are made nearly orthogonal. */
    boolean orthogonal() {
        return this == MUON || this == MUON_IN;
    }

    /** Whether the rate scales gradients rather than steps. */
    boolean rateInside() {
        return this != MUON;
    }
}
