package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Mamba2;
import dev.gatun.layers.Params;
import dev.gatun.layers.Step;
import java.util.List;
import java.util.Map;

/** Golden cases of Mamba-2. The files keep a state as {@code [B, H, P, N]}, we as its transpose. */
final class GoldenMamba2 {

    private static final Map<String, String> NAMES = Map.of(
            "in_proj", "in.weight",
            "conv_w", "conv.weight",
            "conv_b", "conv.bias",
            "A_log", "A_log",
            "D", "D",
            "dt_bias", "dt_bias",
            "norm_w", "norm.weight",
            "out_proj", "out.weight");

    private static final long CHUNK = 64;

    private GoldenMamba2() {}

    static Map<String, Tensor> run(GoldenCase c) {
        List<Double> limits = c.numbers("dt_limit");
        double least = limits.isEmpty() ? 0 : limits.get(0);
        double most = limits.isEmpty() ? Double.POSITIVE_INFINITY : limits.get(1);
        return c.has("param.in_proj") ? block(c, least, most) : scan(c, least, most);
    }

    private static Map<String, Tensor> scan(GoldenCase c, double least, double most) {
        Tensor x = c.get("in.x");
        Tensor b = c.get("in.B");
        Tensor past = c.has("in.h") ? c.get("in.h").transpose()
                : Tensor.zeros(c.dtype(), Shape.of(x.dim(0), x.dim(2), b.dim(3), x.dim(3)));
        Mamba2.Rates rates = new Mamba2.Rates(c.get("in.A"), c.get("in.D"), c.get("in.dt_bias"), least, most);
        Step<Tensor> step = Mamba2.scan(x, c.get("in.dt"), b, c.get("in.C"), rates, past, CHUNK, Form.PARALLEL);
        Tensor y = c.has("in.z") ? Mamba2.gated(step.y(), c.get("in.z")) : step.y();
        return Map.of("y", y, "h", step.state().transpose());
    }

    private static Map<String, Tensor> block(GoldenCase c, double least, double most) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        Mamba2 layer = new Mamba2(params, Mamba2.Config.of(c.whole("Dm", 0), c.whole("H", 0)).sizes(c.whole("P", 0), c.whole("N", 0))
                .groups(c.whole("G", 1)).taps(c.whole("K", 4)).steps(least, most).normGroups(c.whole("norm_groups", 1)));
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        Mamba2.State none = layer.start(x.dim(0));
        Mamba2.State past = new Mamba2.State(c.has("in.h") ? c.get("in.h").transpose() : none.hidden(),
                c.has("in.conv_state") ? c.get("in.conv_state") : none.inputs());
        Step<Mamba2.State> step = layer.forward(x, past, Form.PARALLEL);
        return Map.of("y", step.y(), "h", step.state().hidden().transpose(), "conv_state", step.state().inputs());
    }
}
