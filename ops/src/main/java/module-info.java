/** The open catalogue: every operation with a name of its own. */
module dev.gatun.ops {
    requires transitive dev.gatun.engine;
    requires jdk.incubator.vector;

    exports dev.gatun.ops;
    exports dev.gatun.ops.sequence;
}
