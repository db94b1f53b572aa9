package dev.gatun.verify;

import static dev.gatun.ops.Norms.l2Norm;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.DeltaNet;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.Step;
import dev.gatun.ops.sequence.DeltaRule;
import java.util.HashMap;
import java.util.Map;

/** Golden cases of the delta rule, with decay or without, and of the block around it. */
final class GoldenDeltaNet {

    /** Parameters in the files and in the layer. */
    static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("wq", "query.weight"),
            Map.entry("wk", "key.weight"),
            Map.entry("wv", "value.weight"),
            Map.entry("conv_q", "query_conv.weight"),
            Map.entry("conv_k", "key_conv.weight"),
            Map.entry("conv_v", "value_conv.weight"),
            Map.entry("wb", "beta.weight"),
            Map.entry("wa", "fade.weight"),
            Map.entry("A_log", "a_log"),
            Map.entry("dt_bias", "dt_bias"),
            Map.entry("wg", "gate.weight"),
            Map.entry("norm_w", "norm.weight"),
            Map.entry("wo", "out.weight"));

    private GoldenDeltaNet() {}

    static Map<String, Tensor> run(GoldenCase c) {
        if (c.has("in.q")) {
            return rule(c);
        }
        if (c.has("in.x")) {
            return block(c);
        }
        throw new GoldenCase.Unknown("unknown case \"" + c.name() + "\": neither in.q nor in.x");
    }

    private static Map<String, Tensor> rule(GoldenCase c) {
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        Shape memory = Shape.of(q.dim(0), q.dim(1), q.dim(3), v.dim(3));
        Tensor state = c.has("in.S") ? c.get("in.S") : Tensor.zeros(c.dtype(), memory);
        DeltaRule.Result result = DeltaRule.deltaRule(l2Norm(q), l2Norm(c.get("in.k")), v, c.get("in.beta"), c.find("in.log_decay"), state);
        return Map.of("y", result.y(), "S", result.state());
    }

    private static Map<String, Tensor> block(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        long width = c.whole("D", 0);
        long keys = c.whole("Dk", 0);
        long heads = c.whole("H", 1);
        DeltaNet.Config config = new DeltaNet.Config(width, heads, keys, 2 * keys, c.truth("gated"), c.truth("neg_eig"), c.whole("K", 4), 64);
        DeltaNet layer = new DeltaNet(params, config);
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        DeltaNet.State start = layer.start(x.dim(0));
        DeltaNet.State past = new DeltaNet.State(c.has("in.S") ? c.get("in.S") : start.memory(), tail(c, "q", start.queryConv()),
                tail(c, "k", start.keyConv()), tail(c, "v", start.valueConv()));
        Step<DeltaNet.State> step = layer.forward(x, past, Form.PARALLEL);
        Map<String, Tensor> outputs = new HashMap<>(Map.of("y", step.y(), "S", step.state().memory()));
        outputs.put("conv_q_state", step.state().queryConv());
        outputs.put("conv_k_state", step.state().keyConv());
        outputs.put("conv_v_state", step.state().valueConv());
        return outputs;
    }

    private static Tensor tail(GoldenCase c, String of, Tensor otherwise) {
        String name = "in.conv_" + of + "_state";
        return c.has(name) ? c.get(name) : otherwise;
    }
}
