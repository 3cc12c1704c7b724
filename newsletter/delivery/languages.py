"""What mail systems say of letters that they refuse, in languages other than English: the words of each idea.

Phrases are patterns for text as `newsletter.delivery.phrases.sentences` leaves it, between strokes or in
lines. Accents may be written or not. `newsletter.delivery.wordings` knows what ideas mean together, and
`newsletter.feedback.oldbounces` what became of a letter.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language, or of a few that share them; "" for an idea that needs none of its own."""

    reader: str
    """The one a letter is for, their address, account or mailbox."""
    absent: str
    """Is unknown, wrong or gone."""
    off: str = ""
    """Is there, but switched off."""
    full: str = ""
    """Has no room."""
    room: str = ""
    """What a mailbox is measured by: quota, space."""
    spent: str = ""
    """Is used up, or not enough."""
    letter: str = ""
    """The letter, its size."""
    too_large: str = ""
    harmful: str = ""
    """What filters find in letters."""
    attachment: str = ""
    sender: str = ""
    """Who is refused rather than the reader: the sender, their server or address."""
    refused: str = ""
    """Is not let in: a sender, an attachment."""
    distrust: str = ""
    """What says by itself that the sender is refused."""
    denied: str = ""
    """That somebody's rules refuse a letter."""
    server: str = ""
    """What is between systems: a server, a connection."""
    cut_off: str = ""
    """Is not to be reached, or breaks off."""
    undelivered: str = ""
    """That a letter did not arrive."""
    surely_failed: str = ""
    """The same, in a subject: what it says besides may be the letter's own."""
    still_tried: str = ""
    """That a letter is still tried."""
    late: str = ""
    """That it is late; what has failed for good may say so too."""
    given_up: str = ""
    """That nobody tries any more."""
    arrived: str = ""
    """That it arrived."""


LANGUAGES = {
    "German": Language(
        reader="""benutzer | nutzer | empf(?:ä|ae)nger | postf(?:a|ae)ch | konto | teilnehmer | adressat
            adresse | domäne""",
        absent=r"""unbekannt | existier\w*(?: \w+){0,4} nicht | nicht gefunden | gibt es nicht
            ungültig | nicht (?:mehr )?(?:vorhanden|bekannt|gültig) | nicht mehr verfügbar
            nicht eingerichtet | \bkeine?n?(?= (?:solch\w* )?(?:benutzer|nutzer|postfach|konto|empf))""",
        off="deaktiviert | gesperrt | inaktiv | stillgelegt | abgeschaltet",
        full=r"\bvoll\b | überfüllt | zu ?viele",
        room="kontingent | speicher | postfachgr",
        spent=r"""überschritten | erschöpft | aufgebraucht | belegt | erreicht | \bvoll\b
            nicht (?:genug|genügend|ausreichend)""",
        letter=r"nachricht | gr(?:ö|oe)sse | \be?mail\b",
        too_large=r"zu (?:gross|lang)\b | überschreit",
        harmful=r"\bviren\b | schadsoftware | infiziert",
        attachment="anhang | anhänge | datei",
        sender="absender | ihr(?:e|en|er)? (?:mail ?)?(?:ip|server|domain|system|provider)",
        refused="""gesperrt | abgelehnt | verweigert | blockiert | sperrliste
            nicht (?:berechtigt|erlaubt) | nicht (?:zugelassen|autorisiert|akzeptiert) | verboten""",
        distrust="""spam ?verdacht | als spam | spam ?filter | unerwünscht | annahme verweigert
            sperrliste | zu ?viele verbindungen""",
        denied="richtlinie | zugriff verweigert | nicht berechtigt | keine berechtigung",
        server="verbindung | server | gegenstelle",
        cut_off="""nicht erreich | antwortet nicht | nicht verfügbar | fehlgeschlagen | unterbrochen
            zeitüberschreitung | abgelehnt | abgebrochen""",
        undelivered=r"""unzustellbar
            nicht (?:\w+ ){0,2}(?:zugestellt|ausgeliefert|übermittelt|zustellen)
            zustell\w* (?:\w+ ){0,4}(?:fehl|gescheitert|nicht) | zustellfehler
            fehler bei der zustellung | unzustellb""",
        still_tried="""weiterhin versuch | weiter versuch | erneut versuch
            noch nicht (?:zugestellt|ausgeliefert)""",
        late="verzögert",
        given_up="dauerhaft | endgültig",
        surely_failed="unzustellbar",
        arrived="erfolgreich zugestellt | wurde zugestellt",
    ),
    "French": Language(
        reader="utilisateur | destinataire | boîte | compte | adresse | domaine",
        absent=r"""inconnu | existe p | existe plus | incorrect | introuvable | inexist | pas été trouvé
            non trouv | invalide | plus valide
            \baucune?(?= (?:utilisateur|compte|destinataire|boîte|adresse))""",
        off=r"bloque\b | désactiv | suspendu | bloqué | inacti[fv] | clôtur | archivée? | fermée?\b",
        full=r"pleine?\b | saturée? | débordé",
        room="quota | espace | stockage",
        spent="dépass | insuffisant | atteint | épuisé",
        letter="message | courriel | taille",
        too_large="dépass | trop (?:volumineu|gros|grand|lourd|long)",
        harmful="infecté",
        attachment="pièces? jointes? | fichiers? joints?",
        sender="expéditeur | émetteur | votre (?:adresse ip|serveur|domaine|ip)",
        refused="refus | bloqué | interdit | rejet | non autoris | pas autoris | liste noire | invalide",
        distrust="""comme (?:du |étant du )?spam | anti ?spam | pourriel | indésirable | liste noire
            trop de (?:connexions|messages)""",
        denied="politique | accès refusé | pas autoris | non autoris | interdit",
        server="connexion | connecter | serveur | délai",
        cut_off="""injoignable | refusée | impossible | échou | échec | répond pas | indispon | dépass
            interrompu""",
        undelivered=r"""non (?:remis|distribu|délivr)
            na (?:pas )?(?:pu|été) (?:\w+ ){0,3}(?:être |été )?(?:remis|délivr|distribu|envoy|achemin)
            nont pas pu | échec
            impossible (?:de |d)(?:\w+ )?(?:remettre|délivrer|distribuer|envoyer|acheminer)
            pas (?:pu )?(?:être |été )?(?:remis|délivr|distribu)""",
        still_tried="nouvelle tentative | pas encore (?:pu )?(?:été |être )?(?:remis|délivr|distrib)",
        late="retardé | différé",
        given_up="définitive",
        surely_failed="non remis | échec",
        arrived="remis avec succès",
    ),
    "Spanish": Language(
        reader="""usuario | destinatari | correo | dirección | buzón | cuenta | casilla | bandeja
            dominio | persona""",
        absent="""desconoc | no existe | no se (?:ha )?encontr | no encontrad | inválid | inexist
            no es válid | dad[oa] de baja""",
        off="desactiv | deshabilit | suspendid | inactiv | bloquead | cancelad",
        full=r"llen[oa]\b | satura",
        room=r"\bcuota | espacio | capacidad | almacenamiento",
        spent="excedi | excede | insuficiente | agotad | superad | sobrepas",
        letter="mensaje | correo | tamaño",
        too_large="demasiado grande | excede | supera | muy grande",
        harmful="infectad",
        attachment="adjunto",
        sender=r"remitente | \bsu (?:ip|servidor|dirección|dominio) | emisor",
        refused="rechaz | bloquead | no (?:está )?(?:autoriz|permiti) | lista negra | deneg | prohibid",
        distrust="como spam | correo no deseado | lista negra | anti ?spam | demasiadas conexiones",
        denied="""directiva | política | acceso denegado | no tiene permiso
            no (?:está )?(?:autoriz|permit)""",
        server="conexión | conectar | servidor | tiempo de espera",
        cut_off="""no responde | no (?:está )?dispon | no se puede | error | falló | rechazad
            no se pud | agotad | fallid | inaccesible""",
        undelivered=r"""
            no (?:se )?(?:ha |han |pudo |puede |pudieron |podido )*(?:\w+ ){0,2}(?:entreg|enviar|enviad)
            fallo | devuelto | no ha llegado | error (?:de|en la) entrega""",
        still_tried=r"aún no se | todavía no | seguir\w* intent",
        late="retras | demorad | aplazad",
        given_up=r"permanente\b",
        surely_failed="no entregado",
        arrived="entregado con éxito",
    ),
    "Italian": Language(
        reader="utente | destinatari | casella | indirizzo | dominio",
        absent=r"""sconosciut | non esist | non (?:è stat[oa] )?trovat | inesist | nessun utente
            errat[oa]\b | non valid""",
        off="disabilitat | disattivat | sospes[oa] | inattiv | bloccat",
        full=r"pien[oa]\b",
        room="quota | spazio | memoria",
        spent="superat | esaurit | insufficiente | eccedut",
        letter="messaggio | dimension",
        too_large="troppo grande | supera | eccede",
        harmful="infett[oa]",
        attachment="allegat",
        sender="mittente | (?:vostro|tuo|suo) (?:indirizzo ip|server|dominio|ip)",
        refused="rifiutat | bloccat | non (?:è )?(?:autorizzat|consentit) | lista nera | respint",
        distrust="""indesiderat | rifiutat[oa] spam | come spam | anti ?spam | lista nera
            troppe connessioni""",
        denied=r"accesso negato | non (?:\w+ )?(?:autorizzat|consentit) | criteri",
        server="connession | connetter | server | tempo",
        cut_off="""rifiutat | impossibile | scadut | non risponde | non raggiung | errore
            irraggiungibile | fallit | interrott""",
        undelivered=r"""
            non (?:è stato|può essere|ha potuto|è possibile|è stata) (?:\w+ ){0,3}(?:consegn|recapit|inviat)
            mancat\w* (?:consegna|recapito) | impossibile (?:consegnare|recapitare|inviare)
            recapito non riuscito | non recapitabil""",
        still_tried="non (?:è stato )?ancora | verrà ritentat",
        late="in ritardo | ritardat",
        arrived="consegnato correttamente",
    ),
    "Portuguese": Language(
        reader=r"usuário | utilizador | destinatári | endereço | caixa | conta\b | domínio",
        absent="desconhec | n(?:ã|a)o exist | n(?:ã|a)o (?:foi )?encontrad | inexist | inválid",
        off=r"desabilitad | desativad | desactivad | inativ | bloquead | suspens[oa]\b | cancelad",
        full=r"chei[oa]\b | lotad[oa]\b",
        room=r"\bcota\b | quota | espaço | capacidade | armazenamento",
        spent="excedid | insuficiente | esgotad | ultrapassad",
        letter="mensagem | tamanho",
        too_large="muito grande | grande demais | excede",
        attachment="anexo",
        sender=r"remetente | \bseu (?:ip|servidor|endereço|domínio)",
        refused="""bloquead | rejeitad | recusad | n(?:ã|a)o (?:é |está )?(?:autorizad|permitid)
            lista negra""",
        distrust="como spam | rejeitada spam | lista negra | muitas conexões",
        denied="""acesso negado | não tem permissão | política
            n(?:ã|a)o (?:é |está )?(?:autorizad|permitid) | proibid""",
        server="conexão | conectar | ligação | servidor | tempo limite",
        cut_off=r"""recusad | indispon | erro\b | não encontrad | n(?:ã|a)o (?:foi possível|respond)
            esgotad | falhou""",
        undelivered=r"""não (?:foi|pôde|pode|está) (?:\w+ ){0,3}(?:entreg|enviad)
            falha (?:na|de) entrega | não entregue""",
        still_tried="ainda não",
        late="atrasad | adiad[oa]",
    ),
    "Dutch": Language(
        reader="gebruiker | ontvanger | adres | postbus | account | postvak",
        absent="""onbekend | bestaat niet | niet (?:is |werd )?gevonden | ongeldig
            geen(?= (?:gebruiker|ontvanger|postbus))""",
        off="uitgeschakeld | geblokkeerd | gedeactiveerd | inactief | opgeheven | geschorst",
        full=r"\bvol\b",
        room="opslag | ruimte",
        spent="overschreden | onvoldoende | bereikt",
        letter="bericht",
        too_large="te groot | overschrijdt",
        attachment="bijlage",
        sender="afzender | uw (?:ip|server|domein)",
        refused="geweigerd | geblokkeerd | niet (?:toegestaan|gemachtigd|geautoriseerd) | zwarte lijst",
        distrust="als spam | zwarte lijst",
        denied="toegang geweigerd | niet toegestaan | beleid",
        server="verbinding | server",
        cut_off="geweigerd | geen verbinding | verbroken | mislukt | niet bereikbaar | reageert niet",
        undelivered=r"onbestelbaar | niet (?:\w+ ){0,2}(?:afgeleverd|bezorgd|worden bezorgd)",
        still_tried="nog niet | blijven proberen",
        late="vertraagd | vertraging",
    ),
    "Swedish, Norwegian and Danish": Language(
        reader="""användare | mottag | mottaker | modtager | bruker | bruger | adress | kontot?
            kontoen | brevlåda | postlåda | postkasse | innboks | indbakke | inkorg""",
        absent=r"""okänd | ukjent | ukendt | finns (?:inte|ej) | fin(?:ne|de)s ikke
            hitta\w* (?:inte|ej) | eksisterer ikke | finner ikke | (?:inte|ej) hitta | ikke fun[dn]et
            ogiltig | ugyldig""",
        off="""inaktiv | spärra | sperret | spærret | avstäng | stängd | deaktiver | stengt | lukket
            suspend""",
        full=r"\bfull[ta]?\b | \bfuld[te]?\b",
        room="kvot[ae] | utrymme | lagring",
        spent=r"överskrid | overskred | slut\b | otillräcklig",
        letter=r"meddeland | melding | besked | brev\b",
        too_large="för sto | for sto | overskrider | överskrider",
        attachment="bilaga | bilagor | vedlegg | vedhæft",
        sender="avsända | avsender | afsender | din (?:ip|server|domän)",
        refused="blocker | blokker | avvisa | avvist | afvist | nekad | nektet | inte tillåt | ikke tillat",
        distrust="skräppost | søppelpost | som spam | svartlist",
        denied="åtkomst nekad | adgang nægtet | tilgang nektet | inte tillåt",
        server="anslut | server | forbindelse | tilkobl",
        cut_off="""kunde inte | kunne ikke | misslyck | mislyk | svarar inte | svarer ikke | avbröts
            nekades""",
        undelivered=r"""leverans\w* misslyck | leveransfel | olevererat
            inte (?:levererats|levereras|att leverera) | levererades inte | ikke leveres | mislykkedes
            mislyktes | kunde inte | kunne ikke | ikke leveret""",
        still_tried="ännu inte | fortsätter att försöka | endnu ikke | ennå ikke | fortsatt forsøke",
        late="försen | fördröj | forsink",
    ),
    "Finnish": Language(
        reader=r"vastaanottaja | osoit | käyttäjä | postilaatikko | \btili | kansio",
        absent="tuntematon | virheelli | ei (?:ole(?! tila)|löydy|löytynyt)",
        off="suljettu | poistettu käytöstä | lukittu",
        full="täynnä",
        room="tallennustila | kiintiö",
        spent="ylit | loppu",
        letter="viesti",
        too_large="liian suuri",
        sender="lähettäjä",
        refused="estetty | hylätty | ei ole sallittu",
        distrust="roskaposti",
        undelivered="epäonnistui | ei toimitettav | ei voitu",
        still_tried="vielä ei",
    ),
    "Polish": Language(
        reader="użytkownik | odbiorc | skrzyn[kc] | adres(?!u ip) | konto | koncie | takiego | takiej",
        absent="""nieznan | nie istniej | nie znalez | nie można (?:odnaleźć|znaleźć) | nie ma(?= taki)
            brak takie | nieprawidłow | niepoprawn""",
        off="zablokowan | nieaktywn | zawieszon | wyłączon",
        full="pełn[ay] | przepełnion | brak miejsca",
        room="limit(?! czas) | miejsc | kwot",
        spent="przekrocz | wyczerpan | niewystarcz",
        letter="wiadomość | rozmiar",
        too_large="zbyt duż | za duż | przekracza",
        harmful=r"\bwirus",
        attachment="załącznik",
        sender=r"nadawc | twoj\w* (?:adres ip|serwer|ip) | twój (?:adres ip|serwer|ip)",
        refused="zablokowan | odrzucon | czarnej liście | nie(?:upoważnion|autoryzowan) | niedozwol",
        distrust=r"anty ?spam | czarnej liście | jako spam | spamu\b",
        denied="brak uprawnień | nie masz uprawnień | odmowa dostępu | niedozwol",
        server="połącz | serwer | limit czasu",
        cut_off="nie można | przekrocz | odrzucon | nie odpowiada | błąd | niedostępn | nie udało",
        undelivered=r"""nie (?:można|może|udało|mogła|mógł|został\w*) (?:\w+ ){0,4}(?:dostarcz|doręcz)
            niedostarcz | niedoręcz | zwrot | nie dotarł""",
        still_tried="jeszcze nie został",
        late="opóźni",
    ),
    "Czech and Slovak": Language(
        reader="uživatel | používateľ | adres[aáu] | schránk | příjemc | příjemce | účet | účtu",
        absent=r"neexist | neznám | nebyl\w* nalezen | nenalezen | neplatn",
        off="zablokov | neaktivn | deaktivov | zrušen | pozastaven",
        full=r"pln[áýé]\b | přeplněn",
        room="kvót | místa",
        spent="překroč | nedostatek | vyčerpán",
        letter="zpráv | velikost",
        too_large="příliš vel | moc vel | překrač | překroč",
        harmful=r"\bviry\b | obsahuje virus",
        attachment="příloh",
        sender="odesílatel | vaše ip | váš server",
        refused="zablokov | odmítnut | není (?:oprávněn|povolen) | blacklist",
        distrust="jako spam | nevyžádan",
        denied="přístup odepřen | není povolen | zásad",
        server="připoj | spojení | server | časový limit",
        cut_off="nelze | není dostup | chyba | vypršel | neodpovídá | odmítnut | selhal",
        undelivered=r"""nebyl\w* (?:\w+ ){0,3}doruč | nepodařilo (?:\w+ ){0,3}(?:doruč|odesl)
            nelze (?:\w+ ){0,3}(?:doruč|odesl) | nedoruč | nebylo možné (?:\w+ ){0,3}doruč""",
        still_tried="zatím nebyl | dále pokoušet",
        late="zpožděn | opožděn",
    ),
    "Hungarian": Language(
        reader=r"felhasználó | címzett | postafiók | postalád | fiók | cím\b",
        absent="ismeretlen | nem (?:létez|található) | nincs ilyen | érvénytelen",
        off="letiltva | tiltva | felfüggeszt | inaktív | megszűnt",
        full=r"megtelt | tele\b | betelt",
        room="kvóta | tárhely",
        spent="túllép | elfogyott | nincs elég",
        letter="üzenet | levél | mérete",
        too_large="túl nagy | meghalad",
        harmful="vírust",
        attachment="melléklet | csatolmány",
        sender="feladó | az ön ip",
        refused="tiltólist | elutasít | letilt | nem engedélyezett | feketelist",
        distrust="spamként | spamnak | levélszemét",
        denied="hozzáférés megtagadva | nem engedélyezett",
        server="kiszolgáló | szerver | kapcsolat",
        cut_off="nem (?:érhető|elérhető|válaszol|sikerült) | időtúllépés | megszakadt",
        undelivered=r"""nem (?:\w+ ){0,2}(?:kézbesít|továbbít) | kézbesíthetetlen
            sikertelen (?:kézbesítés|küldés)""",
        still_tried="még nem | tovább próbál",
        late="késik | késés | késleltet",
    ),
    "Turkish": Language(
        reader="kullan[ıi]c[ıi] | al[ıi]c[ıi] | posta kutusu | gelen kutusu | adres | hesa[pb]",
        absent="bulunamad | böyle bir | geçersiz | mevcut değil | bilinmeyen | hatal[ıi]",
        off="devre d[ıi]ş[ıi] | ask[ıi]ya | kapat[ıi]l | pasif | engellen",
        full=r"\bdolu\b | dolmuş | doldu",
        room="kota",
        spent="aş[ıi]ld | dold",
        letter="ileti | mesaj | boyut",
        too_large="çok büyük | aş[ıi]yor",
        harmful=r"\bvirüs (?:bul|içer)",
        attachment=r"ekler?\b",
        sender="gönderen | ip adres",
        refused="engellen | reddedil | kara liste | izin veril",
        distrust="spam olarak | istenmeyen | kara liste",
        denied="erişim reddedil | izin verilm",
        server="sunucu | bağlant",
        cut_off="ulaş[ıi]lam | bağlan[ıi]lam | hata | zaman aş[ıi]m | yan[ıi]t verm",
        undelivered="teslim edil(?:em|me) | gönderilem | iletilem | ulaştırılam",
        still_tried=r"henüz (?:\w+ ){0,3}(?:teslim|ilet|gönder|ulaş) | denemeye devam",
        late="gecik",
    ),
    "Romanian": Language(
        reader="utilizator | destinatar | adresa | căsuța | cutia | contul",
        absent="necunoscut | nu (?:mai )?există | nu a fost găsit | inexist | invalid",
        off="dezactivat | suspendat | blocat | inactiv",
        full=r"plin[ăa]?\b",
        room=r"spațiu | cota\b | stocare",
        spent="depășit | insuficient | epuizat",
        letter="mesaj",
        too_large="prea mare | depășește",
        attachment="atașament",
        sender="expeditor",
        refused="respins | blocat",
        distrust="ca spam | listă neagră",
        server="server | conexiun",
        cut_off="nu răspunde | refuzat | întrerupt | indisponibil",
        undelivered="""nu a (?:putut fi|fost) (?:livrat|trimis|transmis) | nelivrat
            livrare(?:a)? (?:a )?eșuat""",
        still_tried="încă nu",
        late="întârzi",
    ),
    "Croatian, Serbian and Slovene": Language(
        reader="korisnik | uporabnik | adresa | naslov | primatelj | prejemnik | sandučić",
        absent="ne postoji | ne obstaja | nepoznat | neznan | nije pronađen | ni (?:bilo )?najden",
        off="onemogućen | blokiran | onemogočen | deaktiviran",
        full=r"\bpun[ao]?\b | poln",
        room="kvot | prostor",
        spent="prekorač | prekorac | premašen | presežen",
        sender="pošiljatelj",
        refused="odbijen | zavrnjen | blokiran",
        undelivered="""nije (?:moguće |mogla biti |mogao biti )?(?:isporuč|dostav) | neisporuč
            ni (?:bilo )?(?:mogoče )?dostav | nedostavlj""",
    ),
    "Russian, Ukrainian and other languages of Cyrillic": Language(
        reader=r"""пользовател | получател | адрес | ящик | абонент | аккаунт | уч[её]тн\w* запис
            домен | користувач | одержувач | потребител | поштов | корисник""",
        absent=r"""не существ | не найден | неверн | неизвест | удал[её]н | не зарегистр
            отсутств(?!\w* (?:\w+ )?мест) | нет тако | \bнет(?: \.|$) | не існу | не знайден | невідом
            не съществува | не постои""",
        off="отключ | заблокир | неактив | приостан | заблокован | вимкнен",
        full=r"\bполон\b | переполн | заполнен | переповнен | нет места",
        room=r"квот | мест[ао]\b | объем",
        spent="превыш | исчерп | закончил | недостаточно | перевищ",
        letter=r"письм | сообщени | размер | лист\b",
        too_large="слишком больш | превыша | занадто вели",
        harmful="вирус | заражен",
        attachment="вложени",
        sender=r"отправител | \bip адрес | ваш\w* (?:ip|сервер|домен) | відправник",
        refused=r"заблокир | отклон | запрещ | черн\w+ спис | не разреш | отверг",
        distrust=r"\bспам | черн\w+ списк | слишком много соединений",
        denied="политик | запрещ | доступ закрыт | отказано в доступе | нет прав",
        server="сервер | соедин | подключ | время ожидания",
        cut_off=r"""недоступ | ошибк | невозможно | \bнет соедин | не удалось | истекло | разорван
            не отвечает | сброшен""",
        undelivered=r"""
            не (?:может|могло|удалось|было|смогло|была|был|могут) (?:\w+ ){0,4}(?:достав|отправ)
            недостав | не достав | невозможно достав | ошибк\w* достав | возвращ | сообщение не
            не вдалося достав | не доставлено""",
        still_tried=r"ещ[её] не достав | попытк\w* (?:\w+ ){0,3}(?:будут|продолж) | ще не достав",
        late="задерж | отложен",
        given_up="окончател | постоянн",
        surely_failed="недостав",
        arrived="успешно доставл",
    ),
    "Greek": Language(
        reader="χρηστ | παραληπτ | διευθυνσ | γραμματοκιβ | λογαριασμ | θυριδα",
        absent=r"αγνωστ | δεν υπαρχ | δεν (?:\w+ )?βρεθηκ | δεν ειναι εγκυρ | ανυπαρκτ",
        off="απενεργοποιη | ανενεργ | κλειδωμεν",
        full="γεματ | πληρεσ | πληρησ",
        room="χωρ[οω] | οριο αποθηκευσ",
        spent="υπερβ | εξαντλη | δεν επαρκ",
        sender="αποστολε",
        refused="αποκλει | μπλοκαρ | απορριφ",
        distrust="ανεπιθυμητ",
        undelivered=r"""δεν (?:\w+ ){0,3}(?:παραδο|παραδω|αποσταλ|σταλ) | αποτυχια (?:παραδοσησ|αποστολησ)
            αδυνατη η παραδοση""",
        still_tried=r"δεν εχει ακομη | θα (?:\w+ )?προσπαθ",
        late="καθυστερ",
    ),
    "Japanese": Language(
        reader="""ユーザ | 宛先 | あて先 | アドレス | 受信者 | メールボックス | アカウント | 受信箱
            送信先 | 受信トレイ | 受信ボックス | ドメイン""",
        absent="""存在し | 見つかりま | 見つから | 不明(?!なエラー) | [はが]いません | 使われていません
            登録されていません | 無効 | 間違って | 正しくありません | 存在しない | 無効な
            使われておりません""",
        off="停止 | 凍結 | (?<=アカウントが)無効 | (?<=アカウントは)無効 | 解約",
        full="いっぱい | 一杯 | 満杯",
        room="容量 | クォータ",
        spent="超え | 超過 | オーバー | 不足 | いっぱい | 一杯",
        letter="サイズ | メール",
        too_large="大きすぎ | 超過 | 制限を超え | 上限を超え | 大き過ぎ",
        harmful="ウイルス | ウィルス",
        attachment="添付",
        sender="送信元 | 送信者 | 差出人",
        refused="拒否 | 許可され | ブロック | 禁止",
        distrust="迷惑メール | スパム",
        denied="ポリシー | 拒否 | 許可されて",
        server="サーバ | 接続",
        cut_off="できま | できない | タイムアウト | 応答 | エラー | 切断",
        undelivered=r"""
            (?:送信|配信|配送|配達|お届け|届け|送達)[\w ]{0,20}?(?:でき|出来)(?:ません|なかった|ない)
            配信(?:不能|エラー|失敗|できない) | 送信エラー | 送信できない | エラーのため
            届きませんでした | 返送 | 不達""",
        still_tried="再送(?:を|します|中) | 再試行 | まだ配信",
        late="遅延 | 遅れて",
    ),
    "Chinese": Language(
        reader="""用户 | 收件人 | 收信人 | 收件者 | 收件箱 | 收信者 | 邮箱 | 郵箱 | 信箱 | 帐户 | 账户
            帐号 | 账号 | 帳號 | 地址 | 使用者 | 用戶 | 此人 | 域名""",
        absent="""不存在 | 找不到 | 未找到 | 查無 | 查无 | 無此 | 无此 | 没有此 | 沒有此 | 无效
            (?<=地址)错误 | (?<=[账帐]号)错误 | 错误的""",
        off="停用 | 禁用 | 冻结 | 凍結 | 锁定 | 鎖定 | 注销",
        full="满 | 滿 | 已超额",
        room="空间 | 空間 | 容量 | 配额 | 配額",
        spent="不足 | 已满 | 已滿 | 超出 | 超过 | 超過 | 用完",
        letter="邮件 | 郵件 | 信件 | 大小",
        too_large="太大 | 过大 | 過大 | 大小超 | 大小限制 | 超过限制 | 超過限制 | 超出限制",
        harmful="病毒",
        attachment="附件",
        sender="发件人 | 發件人 | 寄件者 | 寄件人 | 发信 | 您的 ?ip | 发件ip",
        refused="拒 | 黑名单 | 黑名單 | 被禁止 | 屏蔽 | 过高 | 過高 | 限制",
        distrust="垃圾 | 黑名单 | 黑名單",
        denied="拒绝 | 拒絕 | 拒收 | 拒信 | 策略",
        server="服务器 | 伺服器 | 連線 | 连接",
        cut_off="无法连接 | 无响应 | 超时 | 逾時 | 失败 | 無法連",
        undelivered="""退信 | 投递失败 | 无法(?:投递|送达|发送) | 無法(?:投遞|送達|傳送|傳遞|寄送|遞送)
            未能投递 | 发送失败 | 傳送失敗 | 未能(?:送达|将|传递) | 未传递 | 未送达 | 被退回""",
        still_tried="尚未(?:送|投|发|發) | 继续尝试 | 繼續嘗試",
        late="延迟 | 延遲",
    ),
    "Korean": Language(
        reader="사용자 | 수신자 | 메일함 | 계정 | 주소 | 메일박스 | 편지함 | 받는 ?사람",
        absent="존재하지 | 찾을 수 | (?<!수 )없는 | 잘못된 | 등록되지 | 알 수 없는",
        off="휴면 | 정지 | 비활성 | 차단된 계정 | 해지",
        full="가득",
        room="용량 | 공간 | 할당량",
        spent="초과 | 부족",
        letter="메일 | 크기 | 메시지",
        too_large="너무 크 | 제한을 초과 | 크기를 초과 | 크기가 초과",
        harmful="바이러스",
        attachment="첨부",
        sender="발신자 | 보낸 ?사람 | 발송자 | 송신자",
        refused="차단 | 거부 | 금지",
        distrust="스팸",
        denied="거부 | 정책",
        server="서버 | 연결",
        cut_off="연결할 수 없 | 실패 | 시간 초과 | 응답이 없 | 끊",
        undelivered="""(?:전송|발송|배달|배송|전달|송신)(?:에|이|을|를)? ?실패 | 반송 | 수신 ?실패
            (?:전송|발송|배달|전달|송신)(?:되지|할 수|하지) | (?:보내지|배달하지|전달하지|발송하지) 못""",
        still_tried="아직 (?:전달|배달|전송|발송) | 재시도(?:합|할|를)",
        late="지연",
    ),
    "Hebrew": Language(
        reader="משתמש | נמען | כתובת | תיבת | חשבון",
        absent="לא קיי | אינ[וה] קיי | לא נמצא | לא ידוע | אינ[וה] מוכר | שגוי | לא תקינ",
        off="מושבת | הושבת | חסומ | לא פעיל | מושעה",
        full=r"מלאה | מלא\b",
        room="מכסה | מכסת | אחסון | נפח",
        spent="חריגה | חרג | נוצל | מלא",
        sender="השולח | שרת השליחה",
        refused="נחסמ | נדחה | חסומ",
        distrust="ספאמ | דואר זבל",
        undelivered="לא נמסר | לא ניתן | לא נשלח | נכשל | כשל ב",
        still_tried="עדיין לא | ינסה שוב | ננסה שוב | ניסיונות נוספימ",
        late="מתעכב | עיכוב | התעכב",
    ),
    "Arabic": Language(
        reader="مستخدم | مستلم | العنوان | عنوان البريد | صندوق | الحساب",
        absent="غير موجود | غير معروف | لا يوجد | لم يتم العثور | تعذر العثور | غير صالح | غير صحيح",
        off="معطل | موقوف | تم تعطيل | غير نشط | مغلق",
        full="ممتلئ",
        room="المساحة | الحصة | مساحة التخزين",
        spent="تجاوز | غير كافية | نفدت",
        sender="المرسل",
        refused="حظر | محظور | رفض",
        distrust="بريد عشوائي | غير مرغوب",
        undelivered="""تعذر (?:تسليم|توصيل|إرسال) | فشل (?:التسليم|تسليم|إرسال|الإرسال|توصيل)
            لم يتم (?:تسليم|توصيل|إرسال)""",
        still_tried="ما زلنا نحاول | سنحاول | إعادة المحاولة",
        late="تأخر | تأخير",
    ),
    "Indonesian and Malay": Language(
        reader="pengguna | penerima | alamat | kotak (?:surat|masuk) | akaun | akun",
        absent="tidak (?:ditemukan|dijumpai|ada|wujud|dikenal|valid|sah|terdaftar)",
        off="dinonaktifkan | ditangguhkan | diblokir | tidak aktif",
        full=r"penuh\b",
        room="kuota | ruang",
        spent="melebihi | habis | terlampaui",
        sender="pengirim",
        refused="diblokir | ditolak",
        undelivered=r"""tidak (?:dapat|bisa|boleh) (?:\w+ )?(?:di)?(?:kirim|terkirim|hantar)
            gagal (?:terkirim|dikirim|dihantar)""",
        still_tried="akan (?:terus )?(?:mencoba|dicoba|mencuba)",
        late="tertunda | tertangguh",
    ),
    "Vietnamese": Language(
        reader="người (?:dùng|nhận) | địa chỉ | hộp thư | tài khoản",
        absent="không tồn tại | không tìm thấy | không hợp lệ | không có thực",
        off="bị khóa | bị vô hiệu | ngừng hoạt động | tạm ngưng",
        full=r"đầy\b",
        room="dung lượng | hạn mức",
        spent="vượt | hết",
        sender="người gửi",
        refused="bị chặn | bị từ chối",
        distrust="thư rác",
        undelivered=r"""không (?:\w+ ){0,2}(?:gửi|được gửi|chuyển|phát)
            (?:gửi|chuyển|phát)(?: \w+)? (?:thất bại|không thành công)""",
        still_tried="vẫn đang | sẽ (?:tiếp tục|thử)",
        late="bị chậm | trì hoãn",
    ),
}


def words_for(idea: str) -> str:
    """The phrases of all languages for one idea, by the name of its field."""
    return "\n".join(getattr(language, idea) for language in LANGUAGES.values())
