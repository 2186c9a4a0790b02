using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow;

/// <summary>The tokenizer of a model's folder, by the file that the folder has.</summary>
public static class TokenizerFolder
{
    private const string Json = "tokenizer.json";
    private const string Model = "tokenizer.model";
    private const string Config = "tokenizer_config.json";
    private static readonly Bytes s_most = new(1L << 30);
    private static readonly Bytes s_mostConfig = new(16L << 20);

    /// <summary>
    /// Reads tokenizer.json, or else tokenizer.model, of which tokenizer_config.json says whether texts begin and end with a special token.
    /// </summary>
    /// <param name="folder">The folder, or one of the two files.</param>
    /// <exception cref="UserErrorException">There is none, it cannot be read, or it asks for what cannot be done exactly.</exception>
    public static TextTokenizer Read(string folder) => Open(folder).Tokenizer;

    /// <summary>Likewise, with its file.</summary>
    /// <param name="folder">The folder, or one of the two files, or hf:owner/name of a fetched model.</param>
    /// <exception cref="UserErrorException">As <see cref="Read"/>.</exception>
    public static TokenizerFile Open(string folder)
    {
        folder = Hub.NameOf(folder) is null ? folder : Hub.Find(folder, HubSettings.FromEnvironment()).Folder;
        string name = Path.GetFileName(folder);
        string parent = name is Json or Model ? Path.GetDirectoryName(folder) is { Length: > 0 } above ? above : "." : folder;
        string json = Path.Combine(parent, Json);
        string model = Path.Combine(parent, Model);
        if (name != Model && (name == Json || File.Exists(json)))
        {
            return Named(json, bytes => TextTokenizer.FromJson(bytes), parent);
        }

        if (name != Model && !File.Exists(model))
        {
            throw new UserErrorException($"{folder} has neither {Json} nor {Model}; give the folder of a model with its tokenizer");
        }

        var (begin, end) = Special(Path.Combine(parent, Config));
        return Named(model, bytes => TextTokenizer.FromSentencePiece(bytes, begin, end), parent);
    }

    private static TokenizerFile Named(string path, Func<byte[], TextTokenizer> read, string folder) => Named(path, () =>
    {
        byte[] bytes = InputFile.ReadBytes(path, s_most);
        return new TokenizerFile(read(bytes), path, Convert.ToHexStringLower(SHA256.HashData(bytes)), folder);
    });

    private static (bool Begin, bool End) Special(string config)
    {
        if (!File.Exists(config))
        {
            return (false, false);
        }

        return Named(config, () =>
        {
            try
            {
                using var document = JsonDocument.Parse(Encoding.UTF8.GetBytes(InputFile.ReadText(config, s_mostConfig)));
                return (Flag(document.RootElement, "add_bos_token"), Flag(document.RootElement, "add_eos_token"));
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"it is no JSON: {e.Message.TrimEnd('.')}");
            }
        });
    }

    private static bool Flag(JsonElement config, string key) =>
        config.ValueKind == JsonValueKind.Object && config.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.True;

    private static T Named<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (UserErrorException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new UserErrorException($"{path}: {e.Message}");
        }
    }
}
