using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Chat templates in files.</summary>
public static class ChatTemplates
{
    private static readonly Bytes s_most = new(64L << 20);
    private static readonly string[] s_files = ["chat_template.jinja", "chat_template.json", "tokenizer_config.json"];

    /// <summary>The chat templates of a model's folder.</summary>
    /// <param name="folder">The folder, or hf:owner/name of a fetched model.</param>
    /// <exception cref="UserErrorException">There is no such folder, or it has no chat template.</exception>
    public static ModelTemplates InFolder(string folder)
    {
        string path = Hub.NameOf(folder) is null ? folder : Hub.Find(folder, HubSettings.FromEnvironment()).Folder;
        return Directory.Exists(path)
            ? ModelTemplates.Read(name =>
                Path.Combine(path, name) is var file && File.Exists(file) ? InputFile.ReadText(file, s_most) : null)
            : throw new UserErrorException($"{folder} is no folder; give a model's folder, or a template's file by --template");
    }

    /// <summary>The special tokens that a folder names.</summary>
    /// <exception cref="UserErrorException">A file is not what it should be.</exception>
    internal static IReadOnlyDictionary<string, string> TokensOf(string folder) => ModelTemplates.TokensOf(name =>
        Path.Combine(folder, name) is var file && File.Exists(file) ? InputFile.ReadText(file, s_most) : null);

    /// <summary>The chat templates of a folder; null where it has none.</summary>
    /// <exception cref="UserErrorException">A file is not what it should be.</exception>
    internal static ModelTemplates? Of(string folder) =>
        s_files.Any(f => File.Exists(Path.Combine(folder, f))) ? Templates(folder) : null;

    private static ModelTemplates? Templates(string folder)
    {
        try
        {
            return InFolder(folder);
        }
        catch (UserErrorException e) when (e.Message.StartsWith("there is no chat template", StringComparison.Ordinal))
        {
            return null; // a tokenizer_config.json without one
        }
    }

    /// <summary>The text of a template's file, with its line ends.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static string InFile(string path) => InputFile.ReadText(path, s_most);
}
