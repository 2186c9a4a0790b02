using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>Every graph that cuDNN is asked for, as the file has it, against the strict checker.</summary>
public class CudnnGraphTests
{
    private static readonly CudnnGraph[] s_graphs = [.. CudnnGraphCatalog.Graphs()];

    [Fact]
    public void Every_graph_of_the_file_is_what_attention_needs()
    {
        var read = GraphFiles.Read(s_graphs);
        Assert.Equal(s_graphs.Length, read.Count);
        var faults = s_graphs
            .Zip(read)
            .SelectMany(g => GraphChecker
                .Faults(g.Second, GraphQuestion.Of(g.First))
                .Concat(GraphChecker.ScalarFaults(g.First.Scalars, GraphQuestion.Of(g.First)))
                .Select(f => $"{g.First.Name}: {f}"))
            .ToList();
        Assert.True(faults.Count == 0, string.Join('\n', faults.Take(20)));
    }

    [Fact]
    public void A_run_gives_a_pointer_to_every_tensor_that_is_not_virtual()
    {
        foreach (var (graph, json) in s_graphs.Zip(GraphFiles.Read(s_graphs)))
        {
            var real = new GraphReading(json).Tensors.Where(t => !t.IsVirtual).ToList();
            Assert.Equal(real.Where(t => !t.IsByValue).Select(t => t.Id).Order(), graph.Tensors.Select(t => (long)t).Order());
            Assert.Equal(real.Where(t => t.IsByValue).Select(t => t.Id).Order(), graph.Scalars.Select(s => (long)s.Operand).Order());
            Assert.All(graph.Scalars, s => Assert.Equal(real.Single(t => t.Id == (long)s.Operand).Type, (long)s.Type));
        }
    }

    [Fact]
    public void The_file_says_name_architecture_workspace_and_the_fixed_engine()
    {
        foreach (var (graph, json) in s_graphs.Zip(GraphFiles.Read(s_graphs)))
        {
            Assert.Equal(graph.Name, (string)json["name"]!);
            Assert.Equal($"sm{graph.Target.Gpu.Major}{graph.Target.Gpu.Minor}", (string)json["arch"]!);
            Assert.Equal(graph.Answer.Workspace.Value, (long)json["workspace"]!);
            Assert.InRange((long)json["workspace"]!, 0, 512L << 20);
            string engine = json["engine"]?.ToJsonString() ?? "";
            string expected = ((string)json["arch"]!, graph.Answer.Form, graph.Answer.Call.HeadDim) switch
            {
                ("sm90", CudnnForm.BackwardOrdered, _) => Engine(6, 2, 1, 4),
                ("sm100", CudnnForm.BackwardDirect, 256) => Engine(5, 3, 2, 3),
                ("sm100", CudnnForm.BackwardDirect, _) => Engine(5, 3, 2, 2),
                _ => "",
            };
            Assert.Equal(expected, engine);
        }

        Assert.Equal(s_graphs.Length, s_graphs.DistinctBy(g => g.Name).Count());
    }

    [Fact]
    public void The_same_question_gives_the_same_bytes() =>
        Assert.Equal(GraphFiles.Text(s_graphs.Take(40)), GraphFiles.Text(CudnnGraphCatalog.Graphs().Take(40)));

    [Theory]
    [InlineData("sm80", false)]
    [InlineData("sm90", true)]
    [InlineData("sm100", false)]
    [InlineData("sm120", false)]
    public void The_file_covers_every_kind_on_each_architecture(string architecture, bool ordered)
    {
        var here = s_graphs.Where(g => g.Target.Architecture == architecture).Select(g => g.Answer).ToList();
        var forward = here.Where(a => a.Form == CudnnForm.Forward).Select(a => a.Call).ToList();
        Assert.Equal([64, 80, 96, 128, 160, 192, 256], forward.Select(c => c.HeadDim).Distinct().Order());
        Assert.Equal([1, 4, 8, 32], forward.Select(c => c.GroupHeads).Distinct().Order());
        Assert.Equal(
            16, forward.Select(c => (c.Window, c.Softcap, c.Sink, c.Documents, c.Causal)).Where(c => c.Causal).Distinct().Count());
        Assert.Contains(forward, c => !c.Causal);
        Assert.Equal(ordered, here.Any(a => a.Form == CudnnForm.BackwardOrdered));
        var direct = here.Where(a => a.Form == CudnnForm.BackwardDirect).Select(a => a.Call).ToList();
        Assert.Contains(direct, c => c is { Window: not null, Causal: true });
        Assert.Contains(direct, c => c.Sink);
        Assert.Equal(architecture is "sm90" or "sm100", direct.Any(c => c.Softcap is not null));
        Assert.Equal(architecture is "sm90" or "sm100", direct.Any(c => c.Documents is not null));
        Assert.Equal(architecture is "sm90" or "sm100", direct.Any(c => c.HeadDim == 256));
        if (ordered)
        {
            var sums = here.Where(a => a.Form == CudnnForm.BackwardOrdered).Select(a => a.Call).ToList();
            Assert.Equal(15, sums.Select(c => (c.Window, c.Softcap, c.Sink, c.Documents)).Distinct().Count(c => c != default));
            Assert.Equal([64, 80, 96, 128, 160, 192, 256], sums.Select(c => c.HeadDim).Distinct().Order());
            Assert.Contains(sums, c => c.GradQueryType == DType.Float32);
        }
    }

    private static string Engine(int index, int tileM, int tileN, int stages) =>
        $$"""{"index":{{index}},"knobs":[{"type":40,"value":{{tileM}}},{"type":41,"value":{{tileN}}},{"type":24,"value":2},"""
        + $$"""{"type":38,"value":0},{"type":27,"value":0},{"type":14,"value":{{stages}}}]}""";
}

/// <summary>Graphs as the file has them.</summary>
internal static class GraphFiles
{
    public static string Text(IEnumerable<CudnnGraph> graphs)
    {
        using var text = new StringWriter();
        CudnnGraphFile.Write(text, graphs);
        return text.ToString();
    }

    public static List<JsonObject> Read(IEnumerable<CudnnGraph> graphs) =>
        [.. JsonNode.Parse(Text(graphs))!["graphs"]!.AsArray().Select(g => g!.AsObject())];
}
