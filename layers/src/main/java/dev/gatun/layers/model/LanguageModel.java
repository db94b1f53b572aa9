package dev.gatun.layers.model;

import static dev.gatun.ops.CrossEntropy.crossEntropy;

import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.DeltaNet;
import dev.gatun.layers.Embedding;
import dev.gatun.layers.Form;
import dev.gatun.layers.GatedLinearAttention;
import dev.gatun.layers.Init;
import dev.gatun.layers.Linear;
import dev.gatun.layers.LinearAttention;
import dev.gatun.layers.MLstm;
import dev.gatun.layers.MLstmBlock;
import dev.gatun.layers.Mamba2;
import dev.gatun.layers.Mamba;
import dev.gatun.layers.Params;
import dev.gatun.layers.Retention;
import dev.gatun.layers.RmsNorm;
import dev.gatun.layers.SLstm;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.Step;
import dev.gatun.layers.SwiGlu;
import dev.gatun.layers.io.Safetensors;
import dev.gatun.layers.memory.MemoryAsGate;
import dev.gatun.layers.memory.MemoryAsLayer;
import dev.gatun.layers.memory.MemoryLayer;
import dev.gatun.layers.memory.Setup;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A decoder-only language model: an embedding, blocks of {@code x = x + mixer(norm(x))} and
 * {@code x = x + ffn(norm(x))}, a last norm and a head, which may share the embedding's weights. What
 * mixes tokens is a {@link SequenceLayer}, chosen by name.
 *
 * {@snippet :
 * LanguageModel model = new LanguageModel(Params.fresh(key, F32), Config.of(256, 128, 4, 4));
 * Tensor loss = model.loss(ids, targets);
 * }
 *
 * Weights start as normal numbers of deviation 0.02; those that write into the sum of all blocks,
 * {@code out} and {@code down}, are divided by the square root of how many there are.
 */
public final class LanguageModel {

    /** Parameters of a model lie below this name in a file. */
    static final String BELOW = "model";

    /** Makes the mixer of a block, the first of which is 0. */
    @FunctionalInterface
    public interface Mixer {
        SequenceLayer<?> make(Params p, Config config, long block);
    }

    private static final Map<String, Mixer> MIXERS = mixers();

    /** Mixers by name; a further layer is one line here. What a configuration does not say, the layer's own defaults do. */
    private static Map<String, Mixer> mixers() {
        Map<String, Mixer> mixers = new TreeMap<>();
        mixers.put("attention", (p, c, i) -> new SoftmaxAttention(p, c.attention()));
        mixers.put("mamba", (p, c, i) -> new Mamba(p, Mamba.Config.of(c.width).depth(c.depth)));
        mixers.put("deltanet", (p, c, i) -> new DeltaNet(p, DeltaNet.Config.of(c.width, c.heads)));
        mixers.put("gated-deltanet", (p, c, i) -> new DeltaNet(p, DeltaNet.Config.gated(c.width, c.heads)));
        mixers.put("slstm", (p, c, i) -> new SLstm(p, SLstm.Config.of(c.width, c.heads).layer(i, c.depth)));
        mixers.put("gla", (p, c, i) -> new GatedLinearAttention(p, GatedLinearAttention.Config.of(c.width, c.heads)));
        mixers.put("linear-attention", (p, c, i) -> new LinearAttention(p, LinearAttention.Config.of(c.width, c.heads)));
        mixers.put("mamba2", (p, c, i) -> new Mamba2(p, Mamba2.Config.of(c.width, c.heads)));
        mixers.put("mlstm", (p, c, i) -> new MLstm(p, MLstm.Config.of(c.width, c.heads)));
        mixers.put("mlstm-v1", (p, c, i) -> new MLstmBlock(p, MLstmBlock.Config.of(c.width, c.heads).depth(c.depth)));
        mixers.put("retention", (p, c, i) -> new Retention(p, Retention.Config.of(c.width, c.heads)));
        mixers.put("titans", (p, c, i) -> MemoryLayer.of(p, Setup.titans(c.width, c.heads)));
        mixers.put("titans-mag", (p, c, i) -> new MemoryAsGate(p, Setup.titans(c.width, c.heads), c.attention(), 64, 4));
        mixers.put("titans-mal", (p, c, i) -> new MemoryAsLayer(p, Setup.titans(c.width, c.heads), c.attention(), 64, 4));
        mixers.put("omeganet", (p, c, i) -> MemoryLayer.of(p, Setup.omegaNet(c.width, c.heads)));
        mixers.put("atlas", (p, c, i) -> MemoryLayer.of(p, Setup.atlas(c.width, c.heads)));
        mixers.put("atlas++", (p, c, i) -> MemoryLayer.of(p, Setup.atlasGated(c.width, c.heads)));
        mixers.put("atlas-mag", (p, c, i) -> new MemoryAsGate(p, Setup.atlas(c.width, c.heads), c.attention(), 64, 4));
        mixers.put("atlas-mal", (p, c, i) -> new MemoryAsLayer(p, Setup.atlas(c.width, c.heads), c.attention(), 64, 4));
        mixers.put("dla", (p, c, i) -> MemoryLayer.of(p, Setup.deepLinear(c.width, c.heads)));
        mixers.put("swla", (p, c, i) -> MemoryLayer.of(p, Setup.windowedLinear(c.width, c.heads)));
        return mixers;
    }

    /**
     * What a model is. A checkpoint carries it as metadata.
     *
     * @param layer name of the mixer, one of {@link #layers}; several, with commas between, are for the blocks in turn
     * @param vocab how many token ids there are
     * @param width features of a token
     * @param depth blocks
     * @param heads heads of a mixer that has heads
     * @param kvHeads key and value heads of attention
     * @param hidden hidden features of the feed-forward
     * @param context tokens of a training sequence; a recurrent mixer may read on
     * @param tied whether the head shares the embedding's weights
     * @param ropeBase base of the rotary wavelengths
     * @param window how many keys attention sees; 0 for all
     * @param qkNorm whether attention norms its queries and keys
     */
    public record Config(String layer, long vocab, long width, long depth, long heads, long kvHeads, long hidden,
            long context, boolean tied, double ropeBase, long window, boolean qkNorm) {

        public Config {
            if (vocab < 1 || width < 1 || depth < 1 || hidden < 1 || context < 1) {
                throw new IllegalArgumentException("model: vocab " + vocab + ", width " + width + ", depth " + depth
                        + ", hidden " + hidden + " and context " + context + " must be positive");
            }
        }

        /** Attention, a head that shares the embedding's weights, and a context of 256. */
        public static Config of(long vocab, long width, long depth, long heads) {
            return new Config("attention", vocab, width, depth, heads, heads, SwiGlu.hidden(width, 32), 256, true, 10_000, 0, false);
        }

        SoftmaxAttention.Config attention() {
            return SoftmaxAttention.Config.of(width, heads).kvHeads(kvHeads)
                    .rope(ropeBase, width / heads / 2 * 2).window(window, 0).qkNorm(qkNorm);
        }

        /** This configuration as text, for metadata. */
        public Map<String, String> toMetadata() {
            return Records.toMetadata("config", this);
        }

        /** The configuration in a checkpoint's metadata. */
        public static Config of(Map<String, String> metadata) {
            return Records.of(Config.class, "config", metadata);
        }
    }

    /** The past of every block's mixer. */
    public record State(List<?> mixers) {}

    private record Block(RmsNorm mixerNorm, SequenceLayer<?> mixer, RmsNorm ffnNorm, SwiGlu ffn) {}

    private final Params params;
    private final Config config;
    private final List<Mixer> pattern;
    private final Embedding embedding;
    private final List<Block> blocks = new ArrayList<>();
    private final RmsNorm norm;
    private final Linear head;

    /** A model whose mixer is known by name. */
    public LanguageModel(Params params, Config config) {
        this(params, config, pattern(config.layer));
    }

    /** A model with a mixer of the caller's own. */
    public LanguageModel(Params params, Config config, Mixer mixer) {
        this(params, config, List.of(mixer));
    }

    private LanguageModel(Params params, Config config, List<Mixer> pattern) {
        this.params = params;
        this.config = config;
        this.pattern = pattern;
        Init towardsSum = Init.normal(0.02 / Math.sqrt(2.0 * config.depth));
        Params p = params.drawing(Init.normal(0.02)).drawing("out", towardsSum).drawing("down", towardsSum);
        this.embedding = new Embedding(p.at("embed"), config.vocab, config.width);
        for (long i = 0; i < config.depth; i++) {
            Params block = p.at("blocks").at(i);
            blocks.add(new Block(
                    new RmsNorm(block.at("mixer_norm"), config.width),
                    pattern.get((int) (i % pattern.size())).make(block.at("mixer"), config, i),
                    new RmsNorm(block.at("ffn_norm"), config.width),
                    new SwiGlu(block.at("ffn"), config.width, config.hidden)));
        }
        this.norm = new RmsNorm(p.at("norm"), config.width);
        this.head = config.tied ? null : new Linear(p.at("head"), config.width, config.vocab);
        params.check();
    }

    private static List<Mixer> pattern(String layer) {
        List<Mixer> pattern = new ArrayList<>();
        for (String name : layer.split(",", -1)) {
            Mixer mixer = MIXERS.get(name.strip());
            if (mixer == null) {
                throw new IllegalArgumentException("model: no layer \"" + name.strip() + "\"; there are " + String.join(", ", layers()));
            }
            pattern.add(mixer);
        }
        return pattern;
    }

    /** The mixer of the first block of such a model, by itself. */
    public static SequenceLayer<?> layer(Params p, Config config) {
        return pattern(config.layer).getFirst().make(p, config, 0);
    }

    /** Names that {@link Config#layer} is made of. */
    public static List<String> layers() {
        return List.copyOf(MIXERS.keySet());
    }

    /** The model of a file that {@link #save} or a trainer's checkpoint wrote. */
    public static LanguageModel read(Path path) throws IOException {
        try (Safetensors file = Safetensors.open(path)) {
            if (!file.metadata().containsKey("config.layer")) {
                throw new IllegalArgumentException("model: " + path + " carries no configuration of a model");
            }
            return new LanguageModel(Params.read(file, BELOW), Config.of(file.metadata()));
        }
    }

    /** Writes parameters and configuration. */
    public void save(Path path) throws IOException {
        Safetensors.write(path, named(), config.toMetadata());
    }

    Map<String, Tensor> named() {
        Map<String, Tensor> named = new LinkedHashMap<>();
        params.entries().forEach((name, value) -> named.put(BELOW + "." + name, value));
        return named;
    }

    /**
     * The same model, with the same parameters in the same memory, for reading and writing text: nothing
     * it does is recorded.
     */
    public LanguageModel frozen() {
        return new LanguageModel(params.frozen(), config, pattern);
    }

    /** The parameters. */
    public Params params() {
        return params;
    }

    /** What the model is. */
    public Config config() {
        return config;
    }

    /** The state before any token. */
    public State start(long batch) {
        return new State(blocks.stream().map(block -> block.mixer.start(batch)).toList());
    }

    /** Scores {@code [B, T, vocab]} of what comes after each of the tokens {@code ids [B, T]}. */
    public Tensor forward(Tensor ids) {
        return forward(ids, start(ids.dim(0)), Form.PARALLEL).y();
    }

    /** Scores of what comes after each token, given a past, and the state after the last. */
    public Step<State> forward(Tensor ids, State past, Form form) {
        if (ids.shape().rank() != 2) {
            throw new ShapeException("model: ids have two axes, [batch, time]\n  ids: " + ids.describe());
        }
        Tensor x = embedding.forward(ids);
        List<Object> states = new ArrayList<>();
        for (int i = 0; i < blocks.size(); i++) {
            Block block = blocks.get(i);
            Step<?> mixed = mix(block.mixer, block.mixerNorm.forward(x), past.mixers.get(i), form);
            states.add(mixed.state());
            x = x.add(mixed.y());
            x = x.add(block.ffn.forward(block.ffnNorm.forward(x)));
        }
        x = norm.forward(x);
        return new Step<>(head == null ? embedding.scores(x) : head.forward(x), new State(states));
    }

    @SuppressWarnings("unchecked") // a block's state was made by its own mixer
    private static <S> Step<S> mix(SequenceLayer<S> mixer, Tensor x, Object past, Form form) {
        return mixer.forward(x, (S) past, form);
    }

    /** Mean cross-entropy in nats of the targets {@code [B, T]}; those that are -100 count for nothing. */
    public Tensor loss(Tensor ids, Tensor targets) {
        Tensor logits = forward(ids);
        return crossEntropy(logits.reshape(-1, config.vocab), targets.reshape(Shape.of(targets.shape().elements())));
    }
}
