package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.Step;
import dev.gatun.layers.memory.FastMemory;
import dev.gatun.layers.memory.Memory;
import dev.gatun.layers.memory.MemoryAsContext;
import dev.gatun.layers.memory.MemoryAsGate;
import dev.gatun.layers.memory.MemoryAsLayer;
import dev.gatun.layers.memory.MemoryLayer;
import dev.gatun.layers.memory.MemoryPath;
import dev.gatun.layers.memory.Network;
import dev.gatun.layers.memory.Setup;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Golden cases of Titans: the memory, the layer around it, and its arrangements with attention. */
final class GoldenTitans {

    /** Parameters in the files and in a {@link MemoryLayer}, Titans' and Atlas'. */
    static final Map<String, String> NAMES = names(Map.of("wg", "gate.weight", "out", "out.weight", "norm_w", "norm.weight"));

    private static final Map<String, String> ARRANGED = names(Map.of("a_wq", "attention.query.weight", "a_wk", "attention.key.weight",
            "a_wv", "attention.value.weight", "a_wo", "attention.out.weight", "persist", "persistent", "g_y", "kept_norm.weight",
            "g_m", "gate_norm.weight"));

    private GoldenTitans() {}

    private static Map<String, String> names(Map<String, String> more) {
        Map<String, String> names = new HashMap<>(more);
        names.putAll(Map.of("wq", "query.weight", "wk", "key.weight", "wv", "value.weight",
                "conv_q", "query_conv.weight", "conv_k", "key_conv.weight", "conv_v", "value_conv.weight"));
        names.putAll(Map.of("w_forget", "forget.weight", "b_forget", "forget.bias", "w_mom", "momentum.weight", "b_mom", "momentum.bias",
                "w_lr", "rate.weight", "b_lr", "rate.bias", "w_gamma", "gamma.weight", "b_gamma", "gamma.bias"));
        for (int i = 1; i <= 8; i++) {
            names.put("fast.w" + i, "memory.w" + i);
        }
        names.putAll(Map.of("poly", "memory.poly", "slow.ln_w", "memory.norm_weight", "slow.ln_b", "memory.norm_bias"));
        return names;
    }

    static Map<String, Tensor> run(GoldenCase c) {
        if (!c.has("in.x")) {
            return memory(c, config(c));
        }
        return c.text("variant", "").isEmpty() ? layer(c, setup(c)) : arranged(c, setup(c));
    }

    private static FastMemory.Config config(GoldenCase c) {
        return FastMemory.Config.titans(network(c), Math.max(1, c.whole("hid", 1)), c.whole("chunk", 1));
    }

    /** The layer of a case. */
    static Setup setup(GoldenCase c) {
        return Setup.titans(c.whole("D", 0), c.whole("H", 0)).memory(config(c)).most(c.number("lr_max")).taps(c.whole("K", 0));
    }

    /** The memory network of a case. */
    static Network network(GoldenCase c) {
        Map<?, ?> arch = c.object("arch");
        if (arch.isEmpty()) {
            return Network.DEEP; // what models have
        }
        Object kind = arch.get("kind");
        long layers = arch.get("layers") instanceof Number n ? n.longValue() : 2;
        Network network = "linear".equals(kind) ? Network.LINEAR : "gated".equals(kind) ? Network.mlp(0) : Network.mlp(layers);
        network = Boolean.TRUE.equals(arch.get("residual")) ? network.withResidual() : network;
        return Boolean.TRUE.equals(arch.get("postnorm")) ? network.withPostnorm() : network;
    }

    /** A memory that is given its tokens and gates. */
    static Map<String, Tensor> memory(GoldenCase c, FastMemory.Config config) {
        Tensor k = c.get("in.k");
        Tensor v = c.get("in.v");
        Params params = Params.fresh(Key.of(1), c.dtype());
        FastMemory memory = new FastMemory(params, k.dim(1), k.dim(3), v.dim(3), config);
        for (String name : c.names()) {
            if (name.startsWith("param.")) {
                String own = name.substring("param.".length());
                c.put(name, params, own.startsWith("W.") ? own.substring(2) : NAMES.get(own).substring("memory.".length()));
            }
        }
        FastMemory.State past = memory.start(k.dim(0));
        if (c.has("in.W.w1")) {
            List<Tensor> momentum = past.momentum().isEmpty() || !c.has("in.S.w1") ? past.momentum() : given(c, "in.S.w");
            past = new FastMemory.State(given(c, "in.W.w"), momentum, past.keys(), past.values());
        }
        if (c.has("in.past_k")) {
            // Only what the window can reach belongs to the state.
            long kept = Math.min(config.window() - 1, c.get("in.past_k").dim(2));
            past = new FastMemory.State(past.weights(), past.momentum(), newest(c.get("in.past_k"), kept), newest(c.get("in.past_v"), kept));
        }
        Memory.Tokens tokens = new Memory.Tokens(c.get("in.q"), k, v, c.find("in.retain"), c.find("in.momentum"), c.get("in.lr"), c.find("in.gamma"));
        Step<FastMemory.State> step = memory.forward(tokens, past, Form.PARALLEL);
        Map<String, Tensor> outputs = outputs(step.state());
        outputs.put("y", step.y());
        return outputs;
    }

    private static Tensor newest(Tensor x, long count) {
        return x.slice(2, x.dim(2) - count, x.dim(2));
    }

    private static List<Tensor> given(GoldenCase c, String prefix) {
        List<Tensor> all = new ArrayList<>();
        while (c.has(prefix + (all.size() + 1))) {
            all.add(c.get(prefix + (all.size() + 1)));
        }
        return all;
    }

    private static Map<String, Tensor> outputs(FastMemory.State state) {
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        for (int i = 0; i < state.weights().size(); i++) {
            outputs.put("W.w" + (i + 1), state.weights().get(i));
        }
        for (int i = 0; i < state.momentum().size(); i++) {
            outputs.put("S.w" + (i + 1), state.momentum().get(i));
        }
        return outputs;
    }

    /** A memory as the only mixer. */
    static Map<String, Tensor> layer(GoldenCase c, Setup setup) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        MemoryLayer<FastMemory.State> layer = MemoryLayer.of(params, setup);
        put(c, params, NAMES);
        Tensor x = c.get("in.x");
        Step<MemoryPath.State<FastMemory.State>> step = layer.forward(x, layer.start(x.dim(0)), Form.PARALLEL);
        Map<String, Tensor> outputs = outputs(step.state().memory());
        outputs.put("y", step.y());
        return outputs;
    }

    /** Puts what the layer has; a gate that the case's rule does not use has a gradient of zeros and no place. */
    private static void put(GoldenCase c, Params params, Map<String, String> names) {
        for (String name : c.names()) {
            if (name.startsWith("param.")) {
                String parameter = names.get(name.substring("param.".length()));
                if (parameter == null) {
                    throw new GoldenCase.Unknown("unknown parameter \"" + name + "\"");
                }
                if (params.entries().containsKey(parameter) || !parameter.startsWith("momentum.")) {
                    c.put(name, params, parameter);
                }
            }
        }
    }

    /** A memory beside, below or before attention. */
    static Map<String, Tensor> arranged(GoldenCase c, Setup setup) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        SoftmaxAttention.Config attention = SoftmaxAttention.Config.of(setup.width(), c.whole("Ha", 1)).rope(0, 0);
        long persistent = c.whole("persist", 0);
        long window = c.whole("window", 0);
        Tensor x = c.get("in.x");
        Map<String, Tensor> outputs;
        switch (c.text("variant", "")) {
            case "mac" -> {
                // these vectors differentiate a token's loss through its key and value too, as far as the segment's weights made them
                MemoryAsContext layer = new MemoryAsContext(params, setup, attention, c.whole("segment", 1), persistent,
                        MemoryAsContext.Surprise.THROUGH_CONTEXT);
                put(c, params, ARRANGED);
                MemoryAsContext.Read read = layer.read(x, layer.start(x.dim(0)), Form.PARALLEL);
                outputs = outputs(read.memory());
                outputs.put("y", read.y());
            }
            case "mag" -> {
                MemoryAsGate layer = new MemoryAsGate(params, setup, attention, window, persistent);
                put(c, params, ARRANGED);
                Step<MemoryAsGate.State> step = layer.forward(x, layer.start(x.dim(0)), Form.PARALLEL);
                outputs = outputs(step.state().memory().memory());
                outputs.put("y", step.y());
            }
            case "mal" -> {
                MemoryAsLayer layer = new MemoryAsLayer(params, setup, attention, window, persistent);
                put(c, params, ARRANGED);
                Step<MemoryAsLayer.State> step = layer.forward(x, layer.start(x.dim(0)), Form.PARALLEL);
                outputs = outputs(step.state().memory().memory());
                outputs.put("y", step.y());
            }
            default -> throw new GoldenCase.Unknown("unknown variant \"" + c.text("variant", "") + "\"");
        }
        return outputs;
    }
}
