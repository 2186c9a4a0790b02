using System.Text.Json;
using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>No geometry outside the limits passes, whatever file it came from.</summary>
public class GeometryLimitsTests
{
    private static readonly JsonSerializerOptions s_written = new() { IgnoreReadOnlyProperties = true };
    private static readonly Geometry Sound = new(Seqlen: 256, Rows: 4, ChunkTokens: 128, ChunksPerRound: 4, Rounds: 2, HeadTokens: 64);

    public static TheoryData<string, int, string> Faults => new()
    {
        { "Seqlen", 0, "seqlen must be from 1" },
        { "Seqlen", int.MaxValue, "seqlen must be from 1" },
        { "Rows", -1, "rows must be from 1" },
        { "Rows", 5, "do not hold 5 rows" },
        { "Rows", 2, "do not hold 2 rows" },
        { "ChunkTokens", 0, "chunk tokens must be from 1" },
        { "ChunkTokens", 1 << 23, "more than can be planned" },
        { "ChunksPerRound", 0, "chunks per round must be from 1" },
        { "ChunksPerRound", 3, "does not hold whole rows" },
        { "ChunksPerRound", 1 << 13, "more than can be planned, 4096" },
        { "ChunksPerRound", 16777216, "chunks per round must be from 1" },
        { "Rounds", 0, "rounds must be from 1" },
        { "Rounds", int.MinValue, "rounds must be from 1" },
        { "HeadTokens", 0, "head tokens must be from 1 to 128, found 0" },
        { "HeadTokens", -1, "head tokens must be from 1" },
        { "HeadTokens", 129, "head tokens must be from 1" },
        { "VocabularyBlocks", 0, "vocabulary blocks must be from 1" },
        { "VocabularyBlocks", 3, "blocks of 128 are 2" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_field_outside_its_limits_is_a_fault(string field, int value, string part)
    {
        var json = JsonSerializer.SerializeToNode(Sound, s_written)!.AsObject();
        Assert.True(json.ContainsKey(field));
        json[field] = value;
        Assert.Contains(part, GeometryLimits.Fault(json.Deserialize<Geometry>()!, Model()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_chunk_is_cut_into_a_bounded_number_of_pieces_for_the_head()
    {
        var large = new Geometry(Seqlen: 1 << 20, Rows: 1, ChunkTokens: 1 << 20, ChunksPerRound: 1, Rounds: 1, HeadTokens: 64);
        Assert.Null(GeometryLimits.Fault(large));
        Assert.Contains("pieces", GeometryLimits.Fault(large with { HeadTokens = 1 }), StringComparison.Ordinal);
    }

    [Fact]
    public void Chunks_and_layers_together_are_bounded()
    {
        var many = new Geometry(Seqlen: 1 << 20, Rows: 1, ChunkTokens: 512, ChunksPerRound: 2048, Rounds: 1, HeadTokens: 64);
        Assert.Null(GeometryLimits.Fault(many, Model()));
        Assert.Contains("10000 layers", GeometryLimits.Fault(many, Model() with { LayerCount = 10_000 }), StringComparison.Ordinal);
        Assert.Contains(
            "1024 vocabulary blocks",
            GeometryLimits.Fault(many with { VocabularyBlocks = 1024 }, Model() with { VocabSize = 128 * 1024 }),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void What_is_sound_has_no_fault()
    {
        Assert.Null(GeometryLimits.Fault(Sound, Model()));
        Assert.Null(GeometryLimits.Fault(Sound with { VocabularyBlocks = 2 }, Model()));
        Assert.Null(GeometryLimits.Fault(Sound with { Rows = 3 }, Model()));
        Assert.Null(
            GeometryLimits.Fault(new Geometry(Seqlen: 100, Rows: 2, ChunkTokens: 96, ChunksPerRound: 3, Rounds: 1, HeadTokens: 64), Model())
        );
    }

    private static ModelConfig Model() =>
        ModelConfigReader.Parse(
            """
            { "model_dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 128, "vocab_size": 256,
            "rope_theta": 10000, "rms_norm_eps": 1e-5 }
            """,
            "nano"
        );
}
