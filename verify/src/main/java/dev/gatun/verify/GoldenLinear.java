package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.GatedLinearAttention;
import dev.gatun.layers.LinearAttention;
import dev.gatun.layers.LinearAttention.Feature;
import dev.gatun.layers.Params;
import dev.gatun.layers.Retention;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.Step;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** Golden cases of linear attention, retention and gated linear attention. */
final class GoldenLinear {

    /** Parameters in the files and in the layers. */
    static final Map<String, String> NAMES = Map.of(
            "wq", "query.weight",
            "wk", "key.weight",
            "wv", "value.weight",
            "wg", "gate.weight",
            "wo", "out.weight",
            "norm_w", "norm.weight",
            "gk1", "decay_in.weight",
            "gk2", "decay_out.weight",
            "gk2_b", "decay_out.bias");

    private static final long CHUNK = 64;

    private GoldenLinear() {}

    static Map<String, Tensor> attention(GoldenCase c) {
        if (!c.has("in.q")) {
            return block(c, p -> new LinearAttention(p, LinearAttention.Config.of(c.whole("D", 0), c.whole("H", 0))),
                    state -> Map.of("S", state.sums(), "z", state.keys()));
        }
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        boolean normalized = c.truth("normalize");
        Feature feature = switch (c.text("feature", "identity")) {
            case "elu1" -> Feature.ELU_PLUS_ONE;
            case "identity" -> Feature.IDENTITY;
            default -> throw new GoldenCase.Unknown("unknown feature map \"" + c.text("feature", "") + "\"");
        };
        LinearAttention.Config config = new LinearAttention.Config(q.dim(3), q.dim(1), q.dim(3), v.dim(3), feature, normalized,
                c.number("scale", normalized ? 1 : 0), c.number("eps", 0), CHUNK);
        Tensor mask = c.find("in.key_mask");
        if (!c.truth("causal")) {
            return Map.of("y", LinearAttention.bidirectional(config, q, c.get("in.k"), v, mask));
        }
        Shape sums = Shape.of(q.dim(0), q.dim(1), q.dim(3), v.dim(3));
        LinearAttention.State past = new LinearAttention.State(orZeros(c, "in.S", sums), orZeros(c, "in.z", sums.drop(-1)));
        Step<LinearAttention.State> step = LinearAttention.attend(config, q, c.get("in.k"), v, mask, past, Form.PARALLEL);
        return Map.of("y", step.y(), "S", step.state().sums(), "z", step.state().keys());
    }

    static Map<String, Tensor> retention(GoldenCase c) {
        if (!c.has("in.q")) {
            Retention.Config config = Retention.Config.of(c.whole("D", 0), c.whole("H", 0)).rope(c.number("base", 10_000));
            Params params = Params.fresh(Key.of(1), c.dtype());
            Retention layer = new Retention(params, config);
            c.putAll("param.", NAMES, params, "");
            Tensor x = c.get("in.x");
            Tensor sums = c.has("in.S") ? c.get("in.S") : layer.start(x.dim(0)).sums();
            Step<Retention.State> step = layer.forward(x, new Retention.State(sums, c.whole("pos0", 0)), Form.PARALLEL);
            return Map.of("y", step.y(), "S", step.state().sums());
        }
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        Tensor past = orZeros(c, "in.S", Shape.of(q.dim(0), q.dim(1), q.dim(3), v.dim(3)));
        Step<Retention.State> step = Retention.retain(q, c.get("in.k"), v, c.get("in.log_gamma"), new Retention.State(past, 0), CHUNK, Form.PARALLEL);
        return Map.of("y", step.y(), "S", step.state().sums());
    }

    static Map<String, Tensor> gated(GoldenCase c) {
        if (!c.has("in.q")) {
            return block(c, p -> new GatedLinearAttention(p,
                    GatedLinearAttention.Config.of(c.whole("D", 0), c.whole("H", 0)).rank(c.whole("rank", 16))),
                    state -> Map.of("S", state.sums()));
        }
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        Tensor past = orZeros(c, "in.S", Shape.of(q.dim(0), q.dim(1), q.dim(3), v.dim(3)));
        Step<GatedLinearAttention.State> step = GatedLinearAttention.attend(q, c.get("in.k"), v, c.get("in.log_decay"),
                new GatedLinearAttention.State(past), CHUNK, Form.PARALLEL);
        return Map.of("y", step.y(), "S", step.state().sums());
    }

    /** A layer with the stored parameters on the stored tokens, after nothing. */
    private static <S> Map<String, Tensor> block(GoldenCase c, Function<Params, SequenceLayer<S>> make,
            Function<S, Map<String, Tensor>> state) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        SequenceLayer<S> layer = make.apply(params);
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        Step<S> step = layer.forward(x, layer.start(x.dim(0)), Form.PARALLEL);
        Map<String, Tensor> results = new LinkedHashMap<>(state.apply(step.state()));
        results.put("y", step.y());
        return results;
    }

    private static Tensor orZeros(GoldenCase c, String name, Shape shape) {
        return c.has(name) ? c.get(name) : Tensor.zeros(c.dtype(), shape);
    }
}
