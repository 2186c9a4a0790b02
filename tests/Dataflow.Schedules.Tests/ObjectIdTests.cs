using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

/// <summary>Names of objects say what they are, and are read back as they were written.</summary>
public class ObjectIdTests
{
    [Fact]
    public void Names_have_their_parts_in_one_order()
    {
        var (l, c, r) = (new Layer(5), new Chunk(2), new Round(0));
        var head = ParameterOwner.HeadBlock(new VocabularyBlock(3));
        Assert.Equal(
            ["W/L05", "G/embed", "O/head/B3/P11", "X/L05/C2/R0", "X/L05/C2", "KV/L05/G1/S4/R0", "dKV/S4", "T/C2/R0", "loss"],
            new[]
            {
                new ObjectId(ObjectFamily.Weights) { Owner = new ParameterOwner(l) },
                new ObjectId(ObjectFamily.Gradients) { Owner = ParameterOwner.Embedding(null) },
                new ObjectId(ObjectFamily.Moments) { Piece = 11, Owner = head },
                new ObjectId(ObjectFamily.Streams) { Round = r, Chunk = c, Layer = l },
                new ObjectId(ObjectFamily.Streams) { Chunk = c, Layer = l },
                new ObjectId(ObjectFamily.Windows) { Layer = l, Segment = 4, Group = 1, Round = r },
                new ObjectId(ObjectFamily.GradWindows) { Segment = 4 },
                new ObjectId(ObjectFamily.Tables) { Chunk = c, Round = r },
                new ObjectId(ObjectFamily.Losses),
            }.Select(id => id.ToString())
        );
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var random = new Random(1);
        int? Part() => random.Next(3) switch { 0 => null, 1 => random.Next(12), _ => random.Next(100_000) };
        for (int i = 0; i < 5000; i++)
        {
            var id = new ObjectId(ObjectFamily.All[random.Next(ObjectFamily.All.Count)])
            {
                Owner = random.Next(3) switch
                {
                    0 => null,
                    1 => new ParameterOwner(new Layer(random.Next(200))),
                    _ => new ParameterOwner(null, random.Next(2) == 0, Part() is { } b ? new VocabularyBlock(b) : null),
                },
                Chunk = Part() is { } c ? new Chunk(c) : null,
                Group = Part(),
                Segment = Part(),
                Round = Part() is { } r ? new Round(r) : null,
                Piece = Part(),
            };
            Assert.True(ObjectId.TryParse(id.ToString(), out var parsed), id.ToString());
            Assert.Equal(id, parsed);
            Assert.Equal((id.Owner, id.Layer, id.Piece), (parsed.Owner, parsed.Layer, parsed.Piece));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("W/")]
    [InlineData("W/L5")]
    [InlineData("W/L05/")]
    [InlineData("W/L05/B1")]
    [InlineData("W/C1/L05")]
    [InlineData("W/L05/L06")]
    [InlineData("W/embed/head")]
    [InlineData("W/C2147483647")]
    [InlineData("W/C-1")]
    [InlineData("W/M")]
    [InlineData("logit/L05")]
    [InlineData("lossy")]
    public void Other_names_are_none_of_an_object(string? name) => Assert.False(ObjectId.TryParse(name, out _));

    [Fact]
    public void The_beginning_of_a_name_tells_its_family()
    {
        Assert.Same(ObjectFamily.Moments, ObjectFamily.Of("O/M/00"));
        Assert.Same(ObjectFamily.Losses, ObjectFamily.Of("loss"));
        Assert.Null(ObjectFamily.Of("lossy"));
        Assert.Equal(["parameters", "logits"], new[] { "W/</script>", "logits/00" }.Select(ShownNames.KindOf));
        Assert.Equal(ObjectFamily.All.Count, ObjectFamily.All.Select(f => f.Prefix).Distinct().Count());
    }
}
