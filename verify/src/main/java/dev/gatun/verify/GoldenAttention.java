package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.ops.sequence.Attention;
import java.util.Map;

/** Golden cases of softmax attention: the op, and the block with projections, positions and a cache. */
final class GoldenAttention {

    /** Parameters in the files and in the layer. */
    static final Map<String, String> NAMES = Map.of(
            "wq", "query.weight",
            "wk", "key.weight",
            "wv", "value.weight",
            "wo", "out.weight",
            "q_norm", "query_norm.weight",
            "k_norm", "key_norm.weight");

    private GoldenAttention() {}

    static Map<String, Tensor> run(GoldenCase c) {
        return c.has("in.q") ? op(c) : c.has("in.x") ? block(c) : unknown(c);
    }

    private static Map<String, Tensor> unknown(GoldenCase c) {
        throw new GoldenCase.Unknown("unknown case \"" + c.name() + "\": neither in.q nor in.x");
    }

    private static Map<String, Tensor> op(GoldenCase c) {
        Attention how = new Attention(c.number("scale", 0), c.truth("causal"), c.whole("window", 0), c.whole("prefix", 0),
                c.number("softcap", 0));
        Tensor mask = c.find("in.key_mask");
        Attention.Result result = mask == null
                ? Attention.attention(c.get("in.q"), c.get("in.k"), c.get("in.v"), how)
                : Attention.attention(c.get("in.q"), c.get("in.k"), c.get("in.v"), mask, how);
        return Map.of("o", result.o(), "lse", result.lse());
    }

    private static Map<String, Tensor> block(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        long keySize = c.whole("Dk", 0);
        SoftmaxAttention layer = new SoftmaxAttention(params, SoftmaxAttention.Config.of(c.whole("D", 0), c.whole("Hq", 0))
                .kvHeads(c.whole("Hkv", 0)).headSize(keySize).rope(c.number("base", 10_000), c.whole("rot", keySize))
                .window(c.whole("window", 0), c.whole("prefix", 0)).softcap(c.number("softcap", 0)).qkNorm(c.truth("qk_norm")));
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        SoftmaxAttention.State past = c.has("in.k_cache")
                ? new SoftmaxAttention.State(c.get("in.k_cache"), c.get("in.v_cache"), c.whole("P", 0))
                : layer.start(x.dim(0));
        SoftmaxAttention.Attended result = layer.attend(x, past);
        return Map.of("y", result.y(), "lse", result.lse(), "k_cache", result.keys(), "v_cache", result.values());
    }
}
