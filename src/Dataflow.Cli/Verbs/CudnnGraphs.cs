using System.Globalization;
using System.Text;
using System.Text.Json;
using Dataflow.Cuda;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow kernels --cudnn-graphs: what cuDNN's attention would be given, as a file.</summary>
internal static class CudnnGraphs
{
    /// <summary>Writes the file, and says what is in it and what is not.</summary>
    public static ExitCode Write(string path, bool json)
    {
        using var file = AtomicFile.Create(path);
        using var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        var graphs = CudnnGraphCatalog.Graphs().ToList();
        CudnnGraphFile.Write(text, graphs);
        file.Write(Encoding.UTF8.GetBytes(text.ToString()));
        file.Commit();
        if (json)
        {
            Console.Out.WriteLine(Json(path, graphs));
            return ExitCode.Ok;
        }

        string architectures = string.Join(", ", graphs.Select(g => g.Target.Architecture).Distinct());
        Console.Out.WriteLine($"{graphs.Count} graphs for {architectures} in {path}; none of them has run on a GPU. Not offered:");
        foreach (var (target, reason, attentions) in CudnnGraphCatalog.Refusals())
        {
            Console.Out.WriteLine($"  {target.Architecture}, cuDNN {target.Library}, {attentions} asked for: {reason}");
        }

        return ExitCode.Ok;
    }

    private static string Json(string path, List<CudnnGraph> graphs)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("file", path);
            json.WriteNumber("graphs", graphs.Count);
            json.WriteStartArray("refused");
            foreach (var (target, reason, attentions) in CudnnGraphCatalog.Refusals())
            {
                json.WriteStartObject();
                json.WriteString("arch", target.Architecture);
                json.WriteString("cudnn", target.Library.ToString());
                json.WriteNumber("attentions", attentions);
                json.WriteString("reason", reason);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }
}
