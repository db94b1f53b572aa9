package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Mamba;
import dev.gatun.layers.Params;
import dev.gatun.layers.Step;
import dev.gatun.ops.sequence.SelectiveScan;
import java.util.Map;

/** Golden cases of the selective scan, and of the Mamba block around it. */
final class GoldenMamba {

    /** Parameters in the files and in the layer. */
    static final Map<String, String> NAMES = Map.of(
            "in_proj", "in.weight",
            "conv_w", "conv.weight",
            "conv_b", "conv.bias",
            "x_proj", "x.weight",
            "dt_w", "dt.weight",
            "dt_b", "dt.bias",
            "A_log", "a_log",
            "D", "skip",
            "out_proj", "out.weight");

    private GoldenMamba() {}

    static Map<String, Tensor> run(GoldenCase c) {
        if (c.has("in.u")) {
            return scan(c);
        }
        if (c.has("in.x")) {
            return block(c);
        }
        throw new GoldenCase.Unknown("unknown case \"" + c.name() + "\": neither in.u nor in.x");
    }

    private static Map<String, Tensor> scan(GoldenCase c) {
        Tensor u = c.get("in.u");
        Tensor a = c.get("in.A");
        // Without softplus, step sizes are the absolute values.
        Tensor delta = c.truth("softplus") ? c.get("in.delta") : c.get("in.delta").abs();
        Tensor state = c.has("in.h") ? c.get("in.h") : Tensor.zeros(c.dtype(), Shape.of(u.dim(0), a.dim(0), a.dim(1)));
        SelectiveScan.Result result = SelectiveScan.selectiveScan(u, delta, a, c.get("in.B"), c.get("in.C"), state,
                c.find("in.delta_bias"), c.find("in.D"), c.find("in.z"), c.truth("softplus"));
        return Map.of("y", result.y(), "h", result.state());
    }

    private static Map<String, Tensor> block(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        Mamba layer = new Mamba(params, config(c, c.whole("Dm", 0)));
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        Mamba.State start = layer.start(x.dim(0));
        Mamba.State past = new Mamba.State(c.has("in.h") ? c.get("in.h") : start.h(),
                c.has("in.conv_state") ? c.get("in.conv_state") : start.conv());
        Step<Mamba.State> step = layer.forward(x, past, Form.PARALLEL);
        return Map.of("y", step.y(), "h", step.state().h(), "conv_state", step.state().conv());
    }

    /** The layer of a case for tokens of this width. */
    static Mamba.Config config(GoldenCase c, long width) {
        return Mamba.Config.of(width).states(c.whole("N", 16)).rank(c.whole("rank", Math.ceilDiv(width, 16))).taps(c.whole("K", 4));
    }
}
