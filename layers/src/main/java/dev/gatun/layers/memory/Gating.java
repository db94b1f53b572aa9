package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.layers.RmsNorm;

/** {@code a ⊗ b = rms(a) g_a ⊙ σ(rms(b) g_b)}: normed with learned vectors, then a non-linearity (Titans, section 4.2; this form is our reading). */
final class Gating {

    private final RmsNorm kept;
    private final RmsNorm gate;

    Gating(Params p, long width) {
        this.kept = new RmsNorm(p.at("kept_norm"), width);
        this.gate = new RmsNorm(p.at("gate_norm"), width);
    }

    Tensor of(Tensor a, Tensor b) {
        return kept.forward(a).mul(gate.forward(b).sigmoid());
    }
}
