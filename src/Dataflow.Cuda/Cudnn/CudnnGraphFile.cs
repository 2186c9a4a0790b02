using System.Text;
using System.Text.Json;

namespace Dataflow.Cuda;

/// <summary>
/// Graphs as JSON, for another program to give to a cuDNN: numbers as in its headers, descriptors in the order of creation, references by
/// their places in it. The same graphs give the same bytes.
/// </summary>
public static class CudnnGraphFile
{
    /// <summary>
    /// Writes an object with a list, a graph a line: name, arch, operation_graph (the place of the graph of operations), workspace (bytes
    /// of the plan, by formula), engine where it is fixed (its index and its knobs), and descriptors.
    /// </summary>
    /// <param name="output">What is written to; text ends with a line's end.</param>
    /// <param name="graphs">In the order of the file.</param>
    public static void Write(TextWriter output, IEnumerable<CudnnGraph> graphs)
    {
        output.Write("{\"graphs\": [");
        string before = "\n";
        foreach (var graph in graphs)
        {
            output.Write(before);
            output.Write(Text(graph));
            before = ",\n";
        }

        output.Write("\n]}\n");
    }

    private static string Text(CudnnGraph graph)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("name", graph.Name);
            json.WriteString("arch", graph.Target.Architecture);
            json.WriteNumber("operation_graph", graph.OperationGraph);
            json.WriteNumber("workspace", graph.Answer.Workspace.Value);
            if (graph.Answer.Engine is { } engine)
            {
                json.WriteStartObject("engine");
                json.WriteNumber("index", engine.Index);
                json.WriteStartArray("knobs");
                foreach (var knob in engine.Knobs)
                {
                    json.WriteStartObject();
                    json.WriteNumber("type", knob.Type);
                    json.WriteNumber("value", knob.Value);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteStartArray("descriptors");
            foreach (var descriptor in graph.Descriptors)
            {
                Write(json, descriptor);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void Write(Utf8JsonWriter json, CudnnDescriptor descriptor)
    {
        json.WriteStartObject();
        json.WriteNumber("type", (int)descriptor.Type);
        json.WriteStartArray("attributes");
        foreach (var attribute in descriptor.Attributes)
        {
            json.WriteStartObject();
            json.WriteNumber("name", (int)attribute.Name);
            json.WriteNumber("type", (int)attribute.Type);
            json.WriteStartArray(attribute is CudnnAttribute.References ? "descriptors" : "values");
            switch (attribute)
            {
                case CudnnAttribute.Integers integers:
                    Array.ForEach([.. integers.Values], json.WriteNumberValue);
                    break;
                case CudnnAttribute.Reals reals:
                    Array.ForEach([.. reals.Values], json.WriteNumberValue);
                    break;
                case CudnnAttribute.References references:
                    Array.ForEach([.. references.Descriptors], json.WriteNumberValue);
                    break;
                default:
                    throw new ArgumentException($"{attribute.GetType().Name} is no attribute that a file can hold", nameof(descriptor));
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
