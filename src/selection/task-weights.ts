// Written by scripts/train-task.ts; do not edit.
/** Name and weights of each feature, for the tasks in the order of `TASKS`. */
export const TASK_WEIGHTS = `!ask -16 46 -21 -13 4|!doc -35 -12 -20 -12 79|!ref -32 -26 98 -24 -15|!test -43 -18 -15 106 -30
#1 -24 26 11 -11 -3|#2 -10 22 11 -15 -8|#3 22 -6 -12 0 -3|#ask 5 -5 -13 2 12|#doc -16 -11 -8 5 31
#much -17 -5 25 0 -3|#none 22 71 -45 -36 -12|#ref -10 -14 54 -16 -15|#some -15 -24 28 10 1
#test -9 -21 -10 65 -25|- -28 73 -15 -12 -18|-make 0 22 -11 -18 6|1 11 -4 -5 0 -3|10 -4 10 -1 -2 -3
100 -2 7 0 -7 2|11 -2 -1 0 -1 5|12 7 -1 -3 -2 -2|2 -8 -3 -1 -2 13|20 1 -2 5 3 -7|200 -2 -3 -2 5 2
3 -1 4 -6 -8 10|30 2 7 -2 -3 -4|4 8 -5 -2 1 -2|45 -2 6 -3 0 -1|5 1 -1 -3 5 -1|50 1 -1 -3 -1 4|7 7 -4 -1 -1 -2
8 -9 -2 -1 -1 13|90 7 -1 -1 -1 -2|? -41 118 -16 -19 -42|?ask -19 34 -7 2 -10|?doc -5 26 -2 -1 -18
?ref -5 9 -2 -1 -1|?test -1 16 -4 -9 -1|@ask -30 45 -10 -15 10|@doc -59 -22 -29 -17 127|@make 34 -30 -27 1 22
@ref -31 -25 94 -24 -14|@test -53 -18 -13 115 -31|@thing 87 -50 -2 -17 -19|@this -44 0 17 11 16
^? -23 57 -5 -10 -20|^a 8 6 -5 -1 -8|^add 21 -5 -11 11 -15|^can 1 -6 10 -2 -4|^change -1 -2 5 -1 -1
^commen -1 -1 -3 -1 5|^conver -4 0 6 -1 -1|^could 5 -5 4 -1 -3|^create 1 6 -4 1 -4|^docume -4 -4 -4 -2 14
^does -3 15 -5 -2 -5|^draft -12 6 -2 -2 10|^ecris 3 -1 -1 0 -1|^erstel 0 -1 -1 -1 3|^explai -9 15 -6 -9 10
^genera -4 8 -3 0 -1|^give -3 7 -3 0 -1|^given 0 0 -1 8 -7|^haz -4 -1 0 2 3|^here 3 0 1 -2 -1
^hey 4 -1 -1 -1 -1|^how -1 7 0 -5 -1|^i 0 2 -7 5 -1|^ich -5 -8 -2 1 15|^implem 29 -12 -4 -4 -9
^improv -3 -1 -1 -2 7|^is -1 7 -3 -3 0|^kannst 5 -5 -1 3 -2|^make -13 -5 27 -3 -6|^move -4 -3 9 -1 -2
^peux -1 -1 0 -1 3|^please -6 -3 20 0 -11|^produc 2 -2 0 -1 2|^refact -7 -6 23 -4 -5|^replac -5 -4 13 -1 -3
^schrei 0 -1 -1 0 3|^summar -7 6 -5 -2 9|^test -1 -3 -1 5 -1|^the 11 -4 4 -11 0|^turn 2 -2 -3 -2 4
^unit -2 -3 -2 8 -1|^verify -3 -1 -2 6 -1|^what -7 8 -2 6 -5|^when -7 11 -3 -1 -1|^why -3 5 -1 -1 -1
^wie -2 4 -1 -1 -1|^write -30 -13 -14 1 56|a -3 26 -21 -20 18|about -6 6 2 -3 0|above 8 -8 -2 -1 3
accept 13 -3 -5 -1 -3|access -3 -1 2 3 -1|add 22 -14 -13 16 -11|after 3 -1 -1 0 -1|agains -1 0 -1 8 -7
algori 1 -2 -6 -1 8|all -3 -1 7 -1 -2|als 1 3 -1 -1 -2|an 28 -10 -14 1 -5|and -3 23 -5 11 -27
annota -1 -1 -1 -1 4|any 4 -3 -2 3 -2|api -11 4 0 3 5|app 2 -1 1 -1 -1|applie 1 -2 -5 8 -2|are -13 -5 9 -3 12
argume 7 -4 2 -3 -3|array 7 4 -8 -1 -2|arrays 7 -3 -2 -1 -1|arrow -1 -2 0 3 -1|as 10 -8 1 2 -6
ask -7 11 -6 -3 5|ask>doc -5 -2 -2 -3 11|ask>make -6 1 -1 7 -1|ask>ref 10 -2 -5 -2 0|ask>test -1 12 -1 -7 -3
ask>thing -11 16 -3 -3 1|ask>this -6 11 -6 -4 4|assert -5 -3 -3 13 -1|at -2 16 -10 -5 1|au -2 -2 3 -2 3
auf -10 -1 9 -1 2|author 5 0 -1 -2 -2|avec 3 -2 -2 2 -1|back 4 -1 0 -1 -2|backup 1 -2 -6 -1 7
based -4 -1 2 0 2|bash 2 -2 -1 3 -2|be 1 -2 9 -7 -1|beginn -8 12 -1 -3 -1|below -5 -1 15 0 -9
bestel 7 -6 -2 4 -3|betwee -4 4 2 -3 0|binary 11 -5 -2 -2 -2|blocks -1 -1 1 13 -12|boolea -3 0 13 -1 -8
both 9 6 -8 -2 -5|branch 9 -3 -4 -1 -1|brauch -5 -9 -2 1 16|bug 12 -3 -5 -1 -3|build 5 -2 6 -2 -7
busine -5 10 1 -3 -4|by 16 2 -4 -6 -9|c 15 -3 -6 -2 -3|cache 2 -2 1 2 -3|call 5 -6 -3 2 1|callba -1 -1 3 0 -1
called -6 -1 4 0 3|caller -4 -1 6 -1 -1|cambia -2 0 4 -1 -1|can -3 -12 10 5 0|cases -1 -9 -2 13 -1
ce -2 -3 -2 3 4|cette -6 -2 3 1 5|change -6 7 1 4 -6|changi 0 -1 9 -7 -1|charac 5 -2 -1 0 -2
check -4 -3 -1 9 -2|choose -1 4 0 -1 -1|class -12 -4 22 0 -6|cli -2 -1 -1 -1 5|click 0 -2 -1 3 0
client 6 -1 -3 1 -3|clock -3 -2 17 -11 -1|code 11 10 13 -12 -22|codigo 0 -4 2 -2 4|collec -2 2 0 1 -1
column -3 -10 -1 -3 18|coment -1 -1 -1 -1 4|comman -4 -4 -9 -4 20|commen 9 -5 -15 -7 17|commit -4 -3 -2 -4 13
compar 1 -1 -5 7 -2|comple -5 3 -1 -1 3|compon 3 -2 3 -1 -3|compor -3 -1 6 -1 -1|compre -5 -4 12 -4 0
con 4 4 -4 2 -6|config 1 -6 -2 -2 10|confus -2 1 -7 -1 8|consis -2 0 4 0 -1|constr 3 -1 1 -1 -2
contro -5 -1 6 -1 1|conver 1 -1 3 -1 -2|could 8 -4 3 -2 -5|counte 1 -2 0 3 -2|covera -4 7 0 -2 0
create 4 5 -5 1 -5|css 10 -2 -3 -2 -3|csv -5 -1 -1 -1 8|curren 6 -2 -1 -1 -2|custom 4 -1 -1 -1 -1
cypres -1 -1 0 4 -1|d 3 2 -1 1 -5|dans -3 6 -1 -1 -1|dark 5 -1 -4 -1 1|das 6 -2 -2 2 -4|data -5 2 -4 -3 9
databa -3 2 -1 1 1|date 7 -6 0 -1 -1|day -2 6 -1 -1 -3|days 6 -1 -1 -2 -2|de -1 -11 -3 -1 15
decoup -3 -1 6 -1 -1|delete -6 -3 -1 5 4|den 1 -5 -1 7 -2|depend -6 -2 14 -3 -2|der 1 -3 -1 4 -1
des -1 -1 -4 5 1|descri -5 2 -3 11 -5|design -3 -1 3 -1 1|dessus 1 -2 -1 -2 4|deutsc -1 0 -1 -1 3
develo 1 3 -1 -1 -1|die 0 -8 9 1 -2|diese -3 -1 0 0 5|differ -2 8 -1 -3 -2|discor 0 -1 0 -1 3
distan 11 -4 -3 -2 -3|do -12 9 -2 -8 13|doc>ask -4 0 -1 -2 8|doc>make -16 5 6 2 3|doc>ref -2 8 -2 -1 -3
doc>thing -24 -9 2 8 23|doc>this -17 -11 -17 -11 57|docker 1 -6 8 -5 2|docs -10 4 2 -5 8|docstr -2 -1 -3 -3 9
docume -11 -5 -3 -5 24|does -9 19 1 -10 -1|down -2 -1 -4 8 0|draft -12 6 -2 -2 10|du 3 -6 -2 4 2
dynamo -8 -2 -3 -2 15|each 2 -11 -1 4 5|ecris 3 -1 -1 0 -1|edge 0 -7 -1 9 0|ein -7 2 -4 -5 14
eine 12 4 -6 -5 -5|einem 4 -1 -1 -1 -1|einen 0 -5 -1 4 2|el 4 -3 -1 3 -4|else 2 -1 2 -1 -2|en 8 -6 3 -5 0
end -5 12 -6 3 -4|endpoi 8 -2 -4 1 -3|engine -3 -2 1 1 3|env -2 -1 0 0 3|erganz -1 -1 -1 0 3
error -3 -1 -2 2 4|errors 2 0 -2 -1 2|erstel 0 -1 -1 -1 3|es -9 1 9 -1 -1|est -7 14 -2 -2 -3|esta -2 -1 3 2 -1
estas -1 2 -1 -1 2|este -2 -1 3 0 1|et -1 1 4 -1 -2|every 11 -5 -3 2 -5|exactl -1 -1 0 3 -1
exampl -3 -2 -2 -3 10|expire 3 -1 0 0 -2|explai -10 14 -7 -10 12|expliq -2 -1 -1 -1 5|export -2 -2 11 -12 5
expres 6 -2 -1 -1 -3|extrac 0 6 -3 -1 -1|factor -3 -3 -1 -1 7|fails -4 -1 -1 8 -2|faster 0 5 -1 -1 -3
feat 7 -2 -5 -1 1|featur 9 -4 -5 -1 2|feel -2 4 0 -1 -1|file -9 -13 18 -13 17|files -4 -1 0 1 3
filter 20 -9 -3 -3 -5|five -4 8 0 -1 -3|fix 10 -3 -6 -2 0|flow 0 -3 -1 1 2|folder -1 -1 4 -1 -2
foncti -2 -3 3 0 2|for -33 12 -45 43 24|form 11 -3 -4 -1 -3|format -8 -4 0 -2 14|formul 1 -3 -2 2 2
four -4 10 -3 -1 -2|framew 5 -3 -1 1 -3|from 9 -1 3 -7 -3|funcio -2 -2 5 1 -1|functi 10 -13 22 -4 -14
funkti -9 1 7 2 -1|fur -16 -2 -6 7 17|gb 5 -1 -1 -1 -2|genera -10 10 4 7 -11|generi 5 -1 -1 -1 -2
get -7 0 10 -1 -1|gets 1 -3 -4 8 -2|gib -1 8 -2 -2 -3|git 8 -1 -6 -1 -1|github 2 -1 -1 4 -4|give 4 -1 -4 -3 4
given 10 -1 -9 7 -8|go 28 -3 -24 4 -5|good -2 6 -4 3 -3|guide -4 -1 11 -1 -5|half 3 -2 1 -1 -1
handle 13 -4 -9 3 -3|happen -2 0 0 0 3|has -4 3 -1 14 -12|have -1 8 -5 -2 0|haz -4 -1 0 2 3
header -1 -4 -2 -1 7|help -10 1 0 -1 10|helper -5 -4 22 -12 -2|here 19 -7 0 -5 -7|hey 4 -1 -1 -1 -1
how -18 16 -8 -15 25|html 11 -6 -2 -1 -2|i -1 13 -7 5 -10|ich -5 -8 -2 1 15|id -1 -3 -2 2 4
ideas -7 18 -2 -4 -5|identi -2 -2 1 -1 3|idioma 23 -1 -20 -1 -2|if 2 7 -3 -1 -5|image 2 -2 9 -3 -6
implem 27 -12 -5 -1 -10|import -12 -3 10 -2 7|improv -8 -2 -6 2 14|in 32 -31 12 -5 -8|includ 12 -2 -5 -2 -3
inject -4 -3 14 -3 -3|inline -5 5 -3 -1 3|instal -5 -1 -3 -1 10|intege 8 -2 -2 -1 -3|integr -4 3 -2 5 -2
interf -3 0 3 0 1|interv 3 8 -9 1 -3|into 21 -6 -10 -5 0|is -10 36 -14 -11 -2|ist -1 0 4 -1 -2
it -8 -17 30 -4 -1|its -3 -3 5 7 -5|java 4 -3 -1 3 -3|javasc 12 -2 -1 -2 -7|jest 0 1 -2 2 0|js 1 -2 4 -1 -2
jsdoc -1 -1 -1 -1 3|json 10 -1 -14 -1 6|kannst 5 -5 -1 3 -2|keep -5 -3 8 -5 4|key 1 -1 -2 3 -2
keys 3 -3 -1 3 -2|kill -1 -2 0 3 0|kleine 5 -1 -1 -1 -2|l 4 -3 -1 -2 1|la -3 -2 -1 0 7|las -1 7 2 -7 -2
last 15 -3 -6 -3 -3|layer -2 -1 4 -1 -1|le -1 8 0 0 -6|les -3 5 4 -2 -4|let -2 0 3 0 -1|level -1 -1 0 3 -1
librar -1 9 -1 -2 -6|like -4 3 4 1 -4|limits -3 1 -1 -1 4|line -2 -2 -2 -2 8|lines -9 -2 25 -2 -12
list 0 0 8 -3 -5|lo -4 -2 7 -1 0|log 11 -1 -9 -1 0|logged -2 -1 -1 5 -1|login 11 -8 -7 0 3|loop 3 6 -6 -3 0
los -3 -1 2 -1 4|lost -1 -2 0 3 0|m -4 14 -5 -1 -3|mach -1 -2 2 2 -1|mail 1 -2 -1 4 -2|mailer -3 -2 9 -3 -2
main 0 -1 7 -1 -5|make -17 -6 32 -3 -6|make>ask 7 -4 0 -1 -2|make>doc -20 -12 -6 2 36|make>ref 1 1 -13 4 7
make>test -24 -13 -13 67 -17|make>thing 54 -36 3 -19 -2|make>this 22 12 3 -27 -10|makes 2 -4 11 -4 -5
man -11 2 -1 -2 11|many -1 1 -2 -2 3|map 7 0 -4 0 -2|may -1 -3 -2 -1 8|mb 0 -2 -1 4 -1|md -6 -5 -1 -1 14
me 2 18 -8 -3 -8|memory 1 -1 -2 -1 3|merge 9 0 -7 -1 -1|method -2 -3 4 15 -14|migrat -4 0 -2 8 -2
minute -5 9 -2 -1 -1|mir 5 5 -3 -1 -5|missin -3 -8 -3 21 -7|mit 3 -9 -5 12 -1|mock -1 0 -1 3 -1
mode 5 -2 -3 0 0|model 0 -1 -1 2 1|modern -5 8 0 -2 -2|module -8 -4 12 -3 3|moi 1 6 -2 -2 -3|money 3 -2 0 1 -1
more 0 -4 10 -3 -3|most -6 -1 6 -2 3|move -4 -4 8 3 -2|moves 0 -2 -1 -1 4|ms 8 -6 -2 3 -4|much -3 10 2 -3 -5
must 3 -2 -11 -2 12|my 9 33 -16 -12 -15|n 17 -5 -9 0 -3|name -5 0 -1 0 7|names -6 7 -2 -1 2
naming -2 -1 2 -2 3|need 6 -7 -1 1 2|nested 2 -2 1 0 0|never -4 9 0 -3 -2|new -5 0 3 2 -1|next 3 -2 -1 -1 1
no 11 -3 17 4 -29|node 6 -1 -3 -1 -1|non -1 -1 0 2 1|not 5 7 -6 -3 -2|notes -5 -3 -1 -2 10|nothin 1 -2 0 4 -2
now -2 -4 4 -2 3|npm -2 -1 0 -1 4|object 3 4 4 -2 -9|of 16 0 3 -13 -6|off 14 -3 -5 -3 -4|ohne 2 -2 -1 2 -1
on 1 11 -18 1 4|one 3 -2 4 3 -8|ones 7 -1 -5 -1 -1|only 10 -5 -14 0 9|openap -2 0 -1 7 -4|opens -5 9 -2 2 -5
opinio -3 8 -3 0 -2|option 1 -9 0 -6 14|or 9 -3 -2 -4 0|order 11 -7 5 -4 -5|orders -10 -3 -1 -1 14
other -5 -1 7 -1 -1|our -19 12 6 -2 2|out -4 -3 -2 2 6|output -9 -1 0 -1 10|over -12 -2 -1 2 13
packag 11 -1 -7 -1 -2|page -11 -3 -1 1 14|pagina 8 -2 -3 -2 0|pair 6 0 -4 0 -2|pairs 5 -1 -1 -1 -2
para -6 10 -5 -4 6|parame -2 -7 1 12 -4|parser 3 -1 -1 0 -2|pass 8 2 -2 -3 -5|passed 0 -3 9 -3 -3
passwo 3 -2 -2 4 -4|path -2 -1 0 4 0|patter 1 -2 4 -1 -1|paymen -1 -2 0 3 -1|pdf 1 -2 -1 -1 3
per 11 -4 -2 -2 -3|percen -1 -1 -1 4 -1|peux -3 3 -1 -1 2|php 0 3 -1 -1 0|plain 3 -4 2 0 -1
plan -14 20 -1 1 -6|playwr -3 -6 -1 11 -1|please 1 -14 22 -1 -8|plot 1 7 -3 -2 -3|pls -3 -5 6 -2 3
port -1 -1 -1 -1 4|possib -1 -1 3 -1 -1|post 18 -4 -2 0 -12|postgr -8 -2 -1 -2 14|pour 1 -5 -3 2 5
proced -1 0 3 0 -1|produc 7 -4 -1 0 -1|progra -7 4 -4 -6 12|proper 5 -2 -1 0 -1|provid -1 -2 -1 -1 4
prueba -3 6 -3 2 -1|public -3 -1 3 3 -1|pull -14 -2 3 -2 14|push -4 -1 -1 -1 7|put 4 -4 -1 -1 2
pytest -2 0 -1 4 -1|python 36 -2 -32 -5 3|pytorc 10 -4 -2 -2 -2|qa -1 7 -1 -5 -1|que 2 8 1 -7 -3
query 7 -1 -2 -2 -2|questi -7 8 -1 1 -2|queue -2 -1 0 0 3|qui 11 -3 -2 -2 -5|quicks 8 0 -3 -2 -2
quoi -6 16 -1 -1 -7|rate -3 -1 -1 -1 6|react 5 -2 1 -1 -2|read 0 1 -11 -1 10|readab -2 -1 4 -1 -1
readme -14 -9 -8 -7 38|reads 8 -4 5 -9 0|recurs 5 -1 -2 -1 -1|redis 7 -5 -2 -3 2|ref>ask -3 6 5 -7 -1
ref>doc -10 -1 11 -1 1|ref>make -10 -3 -2 7 8|ref>thing 7 -4 14 -7 -11|ref>this -27 -20 55 -11 3
refact -8 -5 22 -5 -4|refere -3 2 -2 -1 5|regex 11 -3 -1 -3 -3|releas -3 -1 0 -1 6|rename 8 -1 -4 -1 -2
repeat 4 -3 4 -3 -2|replac 4 -4 6 -2 -4|report -2 -5 -2 -1 10|reposi -1 -2 4 0 -1|reques 4 0 -4 -2 2
reset -4 -3 -2 2 7|respon -1 1 -1 8 -7|rest -6 8 -2 -2 2|restru -3 -5 20 -11 -2|result -4 -4 9 2 -4
retry -10 -2 -6 -2 19|return 15 -4 -2 -3 -6|review -3 0 -1 -1 6|roundi 5 -2 -2 -1 -1|rules -10 -1 3 -2 10
run -7 -4 -10 -1 22|runnin -1 -3 0 4 0|runs -13 -1 -1 4 12|s -13 8 4 -6 7|s3 5 0 -3 0 -1|safe 2 -2 -5 8 -2
same -1 -2 22 -13 -5|sample -4 -1 0 4 0|says -2 4 0 -1 -1|schema 1 -1 -6 15 -9|schrei 5 -6 -2 3 0
script -1 -8 15 3 -8|se -2 -1 3 0 -1|search 6 -5 -2 2 -1|second 1 -2 -2 4 -2|sectio -5 -2 0 -3 11
securi -6 -4 -1 1 11|semico -8 0 1 -1 9|sense -3 -3 13 -3 -3|senten -7 19 -6 -2 -4|separa -4 -3 9 -1 -2
servic -1 7 1 -2 -4|sessio 2 -2 -1 -1 2|set 3 -1 0 0 -2|setup -2 0 6 -3 -1|share -6 2 7 0 -3
sheet 4 -1 -1 -1 -2|shell -6 -1 7 -1 0|short -1 -2 0 -1 4|should 9 -1 -1 -2 -6|show 2 -4 5 3 -5
shows -1 -1 -1 4 -1|shrink -6 -2 10 -3 1|si -2 15 -1 -6 -6|signat 9 -1 -8 1 -1|simple 4 -1 -1 -1 -2
simpli -2 -3 6 -1 -1|single -2 -2 7 -1 -2|skript -6 -1 10 -1 -2|so 13 -6 15 -3 -20|someth -1 -2 5 -1 -1
split 4 0 -1 -1 -2|sql 8 -7 3 -4 -1|start -7 0 -2 -1 10|starts 4 0 -4 2 -2|state -1 -1 12 -3 -6
statef 9 -3 -1 -2 -3|status -6 -2 -1 2 7|step -1 0 0 -1 3|stock 3 -2 -1 1 -1|store 11 0 -5 -1 -6
stored 5 -2 -1 -1 -2|string -1 -1 3 1 -2|style -7 -7 18 -2 -3|suite -1 -1 -1 11 -8|summar -7 6 -5 -2 9
sunday -5 10 -6 -2 3|suppor -7 -7 -3 -2 19|sur 0 7 -2 -2 -3|system 3 -1 7 -8 -1|t -1 -3 7 -1 -2
table -3 -8 7 1 3|templa 7 -5 1 -3 0|test -20 -12 -4 55 -20|test>ask -3 -2 -1 8 -2|test>make -7 -2 -2 15 -4
test>ref -3 -4 13 -4 -2|test>thing -18 -8 -6 28 4|test>this -5 1 -12 22 -6|tests -18 -6 -2 27 -1
text -10 -4 -3 -3 21|than -1 3 -1 1 -2|that 28 -8 -15 21 -25|the -29 -19 53 -6 1|them 5 -6 -3 6 -2
theme -2 -3 -1 -1 7|then 4 -3 -5 7 -3|there -3 8 1 -5 -1|these -12 -13 4 11 10|they -4 -3 6 -2 3
thing>ask -3 11 -1 -4 -3|thing>doc 3 3 -11 -9 14|thing>make 13 -10 -2 -7 7|thing>ref 28 -6 -11 -6 -5
thing>test -10 -1 -6 26 -9|thing>this -20 9 4 7 1|things -1 0 -6 0 8|this -19 -7 12 8 6|this>ask 0 0 2 0 -2
this>doc -10 -4 -5 7 13|this>make -9 15 13 -13 -6|this>ref -9 2 5 4 -3|this>test -4 -5 4 7 -2
this>thing 1 -18 12 -11 16|thread 0 1 -6 -1 5|three -7 8 5 11 -17|throug 8 -7 -1 -1 2|throws -1 -2 0 -2 5
time -10 15 -1 -2 -2|times -5 12 -1 -2 -4|to 36 -1 -14 -23 2|togeth 4 -4 -1 -1 2|token -4 -1 0 0 6
too 11 4 -6 -4 -6|train 6 -1 -2 -1 -1|transf -3 0 3 1 -1|tres -2 -1 3 2 -1|ts -5 -4 5 -1 6|tu -5 5 -1 -1 2
turn 2 -5 -3 -2 8|two -9 4 -1 -1 7|type 4 -2 0 -1 -1|types -4 -1 4 -1 1|typesc 11 -4 -1 -3 -4|um -6 -2 9 -2 1
un 3 1 -8 -4 8|una 8 1 -5 -5 1|und 0 -5 8 3 -5|under -6 -1 11 3 -8|une 5 12 -5 -4 -7|unit -3 2 -2 6 -3
unity -1 -4 4 3 -1|unsere -7 -10 -2 3 17|until -1 -4 -1 -3 9|untouc -2 -1 1 -2 5|up 0 -6 -4 11 -1
update -4 -4 7 -1 2|upload 3 0 -3 2 -1|usage -1 0 -1 -1 3|use -5 -5 15 -1 -4|user -5 -5 4 4 3
users -1 0 0 2 -1|using 6 -3 1 -1 -2|usuari -3 -1 -1 0 4|valida -3 -2 1 7 -3|var -2 -1 2 -1 1
variab -15 -2 17 -2 2|verify -3 -1 -2 7 -1|versio 1 -7 -9 1 14|vitest -2 -1 -1 7 -2|vue 1 -1 2 -1 -2
w 26 -6 -3 -2 -15|want -3 1 -1 3 0|warenk -1 -5 -1 7 -1|was -3 10 -2 -2 -3|we -14 9 -3 -2 9|web 5 -1 0 -1 -2
what -16 9 3 -7 10|when 6 7 -8 -3 -2|where -1 -4 12 -3 -4|which -3 -7 -9 8 10|while -1 -2 1 2 -1
who -5 10 -2 -3 0|why -8 13 -2 -2 0|wie -3 7 -1 -1 -2|with 15 -23 -18 10 16|withou 3 -5 10 -11 3
workfl 2 -1 -1 4 -4|would -5 16 -3 -2 -7|write -16 -13 -26 6 50|writes -2 8 -2 2 -6|writte -4 -4 11 -1 -2
wrong -1 -1 0 3 -2|y -1 -3 5 2 -3|year -2 3 -3 3 -1|years 1 -1 -3 4 -1|you 6 11 -5 -5 -6|your -2 8 -1 -1 -3`
